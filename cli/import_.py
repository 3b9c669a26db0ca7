"""`modelwright import`: the spec of a Hugging Face model."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, progress, write_result
from .options import OUTPUT, force_option, quiet


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=OUTPUT, help="Output file. [default: stdout]")
@click.option(
    "--weights",
    type=OUTPUT,
    help="Also write the weights to this safetensors file, with the names of the spec.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="KEY",
    help="Skip this key of config.json, which does not affect the model. Repeatable.",
)
@force_option
@quiet
def import_(
    folder: Path,
    output: Path | None,
    weights: Path | None,
    ignored: tuple[str, ...],
    force: bool,
) -> None:
    """Write the spec of a Hugging Face model folder, which contains a config.json.

    \b
      modelwright import all-MiniLM-L6-v2 -o minilm.yaml --weights minilm.safetensors

    `modelwright.from_pretrained(FOLDER)` returns the compiled model with its weights.
    """
    from ..backends.huggingface import CheckpointError, import_folder, import_weights
    from ..outputs import is_stream

    if weights is not None and str(weights) == "-":
        fail("--weights takes a file, not stdout")
    if weights is not None and weights.exists() and not force and not is_stream(weights):
        fail(f"{weights} exists; not overwritten (use --force)")
    try:
        text = import_folder(folder, ignore=ignored)
        if weights is not None:
            with progress("reading and writing the weights"):
                import_weights(folder, weights, ignore=ignored)
    except CheckpointError as error:
        fail(str(error))
    write_result(output, text.encode(), force=force)
