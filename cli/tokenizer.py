"""`modelwright tokenizer`: train a tokenizer on text."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, note, progress, write_result
from .options import OUTPUT, SPEC, force_option, load_spec, quiet, sets_option


@click.command()
@click.argument("text", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--spec",
    type=SPEC,
    help="Take the vocabulary size and the ids of special tokens from this spec.",
)
@sets_option
@click.option(
    "--vocab",
    type=click.IntRange(min=1),
    help="Size of the vocabulary. [default: vocab_size of --spec]",
)
@click.option(
    "--type",
    "type_",
    type=click.Choice(("bpe", "wordpiece", "unigram")),
    default="bpe",
    show_default=True,
    help="bpe is byte-level, as in GPT-2; wordpiece as in BERT; unigram as in T5.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    default=("text",),
    show_default=True,
    help="Field of JSONL or column of Parquet files with the text. Repeatable.",
)
@click.option("-o", "--output", required=True, type=OUTPUT, help="Output file, tokenizer.json.")
@force_option
@quiet
def tokenizer(
    text: tuple[Path, ...],
    spec: Path | None,
    sets: tuple[str, ...],
    vocab: int | None,
    type_: str,
    fields: tuple[str, ...],
    output: Path,
    force: bool,
) -> None:
    """Train a tokenizer on text.

    TEXT is a list of text files, JSONL files (one document per line) or Parquet files (one per
    row).

    \b
      modelwright tokenizer corpus/*.txt --vocab 8192 -o tokenizer.json
      modelwright tokenizer pages.jsonl --type wordpiece --spec bert.yaml -o tokenizer.json

    Without --spec the special tokens are those of GPT-2 (bpe), BERT (wordpiece) or T5 (unigram).
    """
    if spec is None and vocab is None:
        fail("set the vocabulary size with --vocab, or give a spec with --spec")
    read = None if spec is None else load_spec(spec, sets)
    from ..training.errors import TrainingError
    from ..training.specials import vocabulary_of, wanted_specials
    from ..training.tokenizer import train_tokenizer

    try:
        size = vocab if read is None or vocab is not None else vocabulary_of(read)
        assert size is not None
        with progress("training a tokenizer") as show:
            made = train_tokenizer(
                text,
                vocabulary=size,
                type_=type_,
                specials=wanted_specials(type_, read),
                columns=fields,
                on_progress=lambda done: show(f"{done:.0%} read", done),
            )
    except TrainingError as error:
        fail(str(error))
    write_result(output, made.text.encode(), force=force, stamped=False)
    note(f"{made.vocabulary} tokens, {made.bytes_per_token:.2f} bytes per token")
    if made.vocabulary < size:
        note(
            f"warning: the text is too short for {size} tokens; the tokenizer has {made.vocabulary}"
        )
