"""`modelwright show`: the spec with every default."""

from __future__ import annotations

from pathlib import Path

import click

from .options import load_spec, quiet, reads_spec


@click.command()
@reads_spec
@quiet
def show(spec: Path, sets: tuple[str, ...]) -> None:
    """Print the resolved spec, with every default and its origin.

    \b
      modelwright show gpt2.yaml
      modelwright show gpt2.yaml --set positions=alibi
    """
    from ..spec import show as shown

    click.echo(shown(load_spec(spec, sets)).rstrip("\n"))
