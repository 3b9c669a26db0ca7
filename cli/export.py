"""`modelwright export`: write a model folder for Hugging Face tools."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, note, progress
from .options import FOLDER, load_spec, quiet, reads_spec


@click.command()
@reads_spec
@click.option(
    "--weights",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A safetensors file, or the Hugging Face folder that the spec was imported from.",
)
@click.option(
    "--tokenizer",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder to copy the tokenizer and generation_config.json from.",
)
@click.option(
    "--to",
    type=click.Choice(("huggingface",)),
    default="huggingface",
    show_default=True,
    help="Format of the output folder.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FOLDER,
    help="Output folder. It is written under another name and renamed when complete.",
)
@click.option(
    "--custom-code",
    is_flag=True,
    help="Always export the code that `build` writes, even if `transformers` has the architecture.",
)
@click.option("--force", is_flag=True, help="Replace a folder that was exported before.")
@quiet
def export(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    tokenizer: Path | None,
    to: str,
    output: Path,
    custom_code: bool,
    force: bool,
) -> None:
    """Write a model and its weights as a folder for Hugging Face tools.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright export my.yaml --weights my.safetensors -o my-model
      AutoModelForCausalLM.from_pretrained("my-model", trust_remote_code=True)

    When `transformers` has the same architecture, the folder uses its class and contains no code.
    Otherwise, and for quantized weights, it contains the file that `build` writes and two that wrap
    it as a `PreTrainedModel`.
    """
    source = load_spec(spec, sets)
    from ..backends.huggingface import CheckpointError, ExportError
    from ..backends.huggingface import export as written
    from ..backends.huggingface.native import find_native
    from ..backends.pytorch import WeightsError, emit_file
    from ..backends.pytorch.quantized import kind_of
    from ..compiler import lower
    from ..prompting import shortened

    try:
        with progress("writing"):
            written(
                source,
                weights,
                output,
                to=to,
                custom_code=custom_code,
                tokenizer=tokenizer,
                force=force,
            )
    except (CheckpointError, ExportError, WeightsError) as error:
        fail(shortened(str(error)))
    native = None if custom_code or kind_of(weights) else find_native(source)
    kind = f"a {native.class_name}" if native else "with its own code"
    note(f"wrote {output}, {kind}")
    if native is None and (reason := emit_file(lower(source)).without_generate):
        note(f"its code has no `generate`: {reason}")
