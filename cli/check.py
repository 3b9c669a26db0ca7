"""`modelwright check`: every mistake at once."""

from __future__ import annotations

from pathlib import Path

import click

from .options import load_spec, quiet, sets_option
from .speaking import BadInputError, problems_said


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@sets_option
@quiet
@click.pass_context
def check(ctx: click.Context, specs: tuple[Path, ...], sets: tuple[str, ...]) -> None:
    """Say every mistake at once, with its place and what is right.

    \b
      modelwright check gpt2.yaml
      modelwright check examples/*.yaml --quiet
    """
    failed = False
    for path in specs:
        try:
            with problems_said():
                load_spec(path, sets)
        except BadInputError as error:
            error.show()
            failed = True
        else:
            if not ctx.meta.get("quiet"):
                click.echo(f"{path}: ok")
    if failed:
        ctx.exit(BadInputError.exit_code)
