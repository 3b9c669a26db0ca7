"""`modelwright data`: turn text into token files for training."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import fail, note, progress
from .effects import FIELDS
from .options import FOLDER, Number, quiet

if TYPE_CHECKING:
    from ..training.image_files import ImageRequest

SMALL = 4 << 20
"""Bytes of text that one process encodes while others start."""


@click.command()
@click.argument("text", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--tokenizer",
    help="A tokenizer.json file, or `bytes` for a model of raw bytes. Required for text.",
)
@click.option(
    "--kind",
    type=click.Choice(("text", "pairs", "labelled", "images", "captions")),
    default="text",
    show_default=True,
    help="What a document is. The fields are: text; for pairs, source and target; for labelled, "
    "text and label (a class number).",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=FIELD",
    help="Name of a field in the input files, e.g. --field text=body. Repeatable.",
)
@click.option(
    "--end",
    metavar="TOKEN",
    help="Token appended to each document, or `none`. [default: the tokenizer's end token]",
)
@click.option(
    "--special-tokens",
    is_flag=True,
    help="Encode names of special tokens in the text, such as <|endoftext|>, as these tokens. "
    "Otherwise they are ordinary text.",
)
@click.option(
    "--held-out",
    type=Number(min=0, max=1, max_open=True),
    default=0.05,
    show_default=True,
    help="Fraction of the text that is held out for evaluation.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Number of processes for encoding. [default: one per core, at most 16]",
)
@click.option("-o", "--output", required=True, type=FOLDER, help="Output folder.")
@click.option("--force", is_flag=True, help="Replace a folder that this command wrote.")
@quiet
def data(
    text: tuple[Path, ...],
    tokenizer: str | None,
    kind: str,
    fields: tuple[str, ...],
    end: str | None,
    special_tokens: bool,
    held_out: float,
    processes: int | None,
    output: Path,
    force: bool,
) -> None:
    """Turn text into token files for `modelwright train`.

    TEXT is a list of text files (one document each), JSONL files (one document per line) or Parquet
    files (one per row). With --kind images or captions, it is a list of .npz files with the arrays
    `images` (uint8, of shape (N, channels, height, width)) and `labels` or `texts` (N).

    \b
      modelwright data corpus/*.txt --tokenizer tokenizer.json -o tokens
      modelwright data pages.jsonl --field text=body --tokenizer bytes -o tokens
      modelwright data translations.jsonl --kind pairs --tokenizer tokenizer.json -o pairs

    The folder contains flat files of token ids and data.json, which describes them.
    """
    from ..training.encoding import read_tokenizer
    from ..training.errors import TrainingError
    from ..training.image_files import ImageRequest
    from ..training.token_files import Request, end_id, write_data

    if kind == "images":
        _write_images(ImageRequest(text, held_out=held_out), output, force)
        return
    if tokenizer is None:
        fail("--tokenizer is required for text: a tokenizer.json file or `bytes`")
    try:
        read = replace(read_tokenizer(tokenizer), names=special_tokens)
        if kind == "captions":
            captions = ImageRequest(text, kind, read, end_id(read, end), held_out)
            _write_images(captions, output, force)
            return
        request = Request(
            paths=text,
            kind=kind,
            tokenizer=read,
            end=end_id(read, end),
            held_out=held_out,
            fields=_renamed(fields),
            processes=processes or usual_processes(text),
        )
        with progress("encoding") as show:
            sizes = write_data(
                request, output, force=force, on_progress=lambda done: show(f"{done:.0%}", done)
            )
    except TrainingError as error:
        fail(str(error))
    note(f"wrote {output}")
    for split, size in sizes.items():
        ratio = size.bytes / max(1, size.tokens)
        note(
            f"  {split:5}  {size.documents:,} documents, {size.tokens:,} tokens, "
            f"{ratio:.2f} bytes per token"
        )


def _write_images(request: ImageRequest, output: Path, force: bool) -> None:
    from ..training.errors import TrainingError
    from ..training.image_files import write_images

    try:
        with progress("reading images") as show:
            sizes = write_images(
                request, output, force=force, on_progress=lambda done: show(f"{done:.0%}", done)
            )
    except TrainingError as error:
        fail(str(error))
    note(f"wrote {output}")
    for split, size in sizes.items():
        note(f"  {split:5}  {size.documents:,} images")


def usual_processes(paths: tuple[Path, ...]) -> int:
    """One process per core, at most 16; only one for little text."""
    size = sum(path.stat().st_size for path in paths if path.is_file())
    return 1 if size < SMALL else min(16, os.cpu_count() or 1)


def _renamed(fields: tuple[str, ...]) -> dict[str, str]:
    """Parse `text=body`. Fails for an unknown name."""
    found = {}
    for word in fields:
        name, equals, field = word.partition("=")
        if not equals or name not in FIELDS or not field:
            fail(f"--field {word}: expected NAME=FIELD, where NAME is one of {', '.join(FIELDS)}")
        found[name] = field
    return found
