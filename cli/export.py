"""`modelwright export`: a folder for Hugging Face's tools."""

from __future__ import annotations

from pathlib import Path

import click

from .options import load_spec, quiet, reads_spec
from .speaking import fail, note, working


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
    help="A folder whose tokenizer and generation_config.json are copied.",
)
@click.option("--to", type=click.Choice(("huggingface",)), default="huggingface", show_default=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder. It is moved into place when it is whole.",
)
@click.option("--custom-code", is_flag=True, help="With the file that `build` writes, always.")
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
    """Write a model and its weights as a folder that Hugging Face's tools read.

    \b
      modelwright export my.yaml --weights my.safetensors -o my-model
      AutoModelForCausalLM.from_pretrained("my-model", trust_remote_code=True)

    A spec that is an architecture of `transformers` becomes a folder of that class, without code.
    For any other it holds the file that `build` writes, and two that make it a `PreTrainedModel`.
    """
    source = load_spec(spec, sets)
    from ..backends.huggingface import CheckpointError, ExportError
    from ..backends.huggingface import export as written
    from ..backends.huggingface.native import find_native
    from ..backends.pytorch import WeightsError
    from ..prompting import shortened

    try:
        with working("writing"):
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
    native = None if custom_code else find_native(source)
    note(f"wrote {output}, a {native.class_name}" if native else f"wrote {output}, with its code")
