"""`modelwright import`: the spec of a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import click

from .options import OUTPUT, force_option, quiet
from .speaking import fail, put, working


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@click.option("--weights", type=OUTPUT, help="Write its weights too, under their logical names.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="KEY",
    help="A key of config.json that changes nothing.",
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
    """Write the spec of a Hugging Face model folder (config.json).

    \b
      modelwright import all-MiniLM-L6-v2 -o minilm.yaml --weights minilm.safetensors

    `modelwright.from_pretrained(FOLDER)` gives the compiled model with its weights.
    """
    from ..backends.huggingface import CheckpointError, import_folder, import_weights

    if weights is not None and weights.exists() and not force:
        fail(f"{weights} exists; --force replaces it")
    try:
        text = import_folder(folder, ignore=ignored)
        if weights is not None:
            with working("reading and writing the weights"):
                import_weights(folder, weights, ignore=ignored)
    except CheckpointError as error:
        fail(str(error))
    put(output, text.encode(), force=force)
