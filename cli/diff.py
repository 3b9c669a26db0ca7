"""`modelwright diff`: compare two specs."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, print_result, write_result
from .options import (
    DTYPES,
    OUTPUT,
    SPEC,
    force_option,
    format_option,
    load_spec,
    output_format,
    quiet,
    sets_option,
    theme_option,
)

FORMATS = ("svg", "png")


@click.command()
@click.argument("before", type=SPEC)
@click.argument("after", type=SPEC)
@sets_option
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    help="Draw both models with the differences marked; `-` is stdout, without the text.",
)
@format_option(FORMATS)
@click.option(
    "--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size."
)
@click.option(
    "--sequence",
    type=click.IntRange(min=1),
    help="Sequence length in tokens. [default: the longest of both, at most 1024]",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="float32",
    show_default=True,
    help="Data type of weights, activations and cache.",
)
@theme_option
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@force_option
@quiet
def diff(
    before: Path,
    after: Path,
    sets: tuple[str, ...],
    output: Path | None,
    format: str | None,
    batch: int,
    sequence: int | None,
    dtype: str,
    theme: str,
    as_json: bool,
    force: bool,
) -> None:
    """Compare two specs, including defaults, and the cost of their differences.

    BEFORE and AFTER are YAML files; one of them may be `-`, stdin.

    \b
      modelwright diff gpt2.yaml gpt2_medium.yaml
      modelwright diff gpt2.yaml llama3_8b.yaml -o diff.svg
      modelwright diff gpt2.yaml gpt2.yaml --set positions=rotary    --set changes AFTER

    The exit code is 0 whether or not the specs differ; --json has the key `equal`.
    """
    kind = output_format(output, format, FORMATS) if output is not None else ""
    if as_json and output is not None and str(output) == "-":
        fail("--json and `-o -` both write to stdout; choose one")
    specs = load_spec(before, ()), load_spec(after, sets)
    names = str(before), f"{after}, changed" if sets else str(after)
    from ..compiler.difference_text import difference

    found = difference(*specs, names, batch=batch, sequence=sequence, dtype=dtype)
    if output is not None:
        from ..backends.diagram import DrawError, DrawOptions
        from ..backends.diagram.compare import draw_difference

        try:
            drawn = draw_difference(found, kind, DrawOptions(theme=theme))
        except DrawError as error:
            fail(str(error))
        write_result(output, drawn, force=force)
        if str(output) == "-":
            return
    if as_json:
        from ..outputs import json_text

        print_result(json_text(found.to_json()))
    else:
        print_result(found.render())
