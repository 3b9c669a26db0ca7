"""`modelwright diff`: what two specs say differently, and what that costs."""

from __future__ import annotations

from pathlib import Path

import click

from .options import DTYPES, OUTPUT, force_option, load_spec, quiet, sets_option
from .speaking import fail, put

FORMATS = ("svg", "png")
THEMES = ("auto", "light", "dark", "print")
SPEC = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("before", type=SPEC)
@click.argument("after", type=SPEC)
@sets_option
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    help=f"Draw both with the changed parts marked: {', '.join(FORMATS)}.",
)
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--sequence",
    type=click.IntRange(min=1),
    help="Tokens. [default: what both can read, at most 1024]",
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--theme", type=click.Choice(THEMES), default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@force_option
@quiet
def diff(
    before: Path,
    after: Path,
    sets: tuple[str, ...],
    output: Path | None,
    batch: int,
    sequence: int | None,
    dtype: str,
    theme: str,
    as_json: bool,
    force: bool,
) -> None:
    """Say what differs between two specs, with every default, and what that costs.

    \b
      modelwright diff gpt2.yaml gpt2_medium.yaml
      modelwright diff gpt2.yaml llama3_8b.yaml -o diff.svg
      modelwright diff gpt2.yaml gpt2.yaml --set positions=rotary    SET changes the second

    The exit code is 0 whether or not they differ, and 2 where they could not be compared; `--json`
    says `equal`.
    """
    format = output.suffix.lower().removeprefix(".") if output else ""
    if output is not None and format not in FORMATS:
        fail(f"{output}: the suffix says what to draw: one of {', '.join(FORMATS)}")
    specs = load_spec(before, ()), load_spec(after, sets)
    names = str(before), f"{after}, changed" if sets else str(after)
    from ..compiler.difference_text import difference

    found = difference(*specs, names, batch=batch, sequence=sequence, dtype=dtype)
    if output is not None:
        from ..backends.diagram import DrawError, DrawOptions
        from ..backends.diagram.compare import draw_difference

        try:
            drawn = draw_difference(found, format, DrawOptions(theme=theme))
        except DrawError as error:
            fail(str(error))
        put(output, drawn, force=force)
    if as_json:
        from ..outputs import json_text

        put(None, json_text(found.to_json()), force=False)
    else:
        click.echo(found.render())
