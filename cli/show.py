"""`modelwright show`: the spec with all defaults."""

from __future__ import annotations

from pathlib import Path

import click

from .console import print_result
from .options import load_spec, quiet, reads_spec


@click.command()
@reads_spec
@quiet
def show(spec: Path, sets: tuple[str, ...]) -> None:
    """Print the spec with all defaults, and where each value comes from.

    SPEC is a YAML file; `-` is stdin. The output is a spec itself, in UTF-8.

    \b
      modelwright show gpt2.yaml
      modelwright show gpt2.yaml --set positions=alibi
    """
    from ..compiler.display import show as shown

    print_result(shown(load_spec(spec, sets)).encode())
