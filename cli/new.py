"""`modelwright new`: the examples, as something to start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from .options import OUTPUT, force_option, quiet
from .speaking import fail, note, put

EXAMPLES = Path(__file__).parent.parent / "examples"


def example_names() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def _complete_example(_ctx: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    return [name for name in example_names() if name.startswith(start)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete_example)
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@force_option
@quiet
def new(name: str | None, output: Path | None, force: bool) -> None:
    """List the example specs, or write one to start from.

    \b
      modelwright new                       the names, one a line
      modelwright new gpt2 > gpt2.yaml
      modelwright new gpt2_xl -o xl.yaml    and gpt2.yaml beside it, which it extends
    """
    if name is None:
        width = max(map(len, example_names()))
        for each in example_names():
            click.echo(f"{each:<{width}}  {example_text(each).partition(chr(10))[0][2:]}")
        return
    name = name.removesuffix(".yaml").replace("-", "_")
    if name not in example_names():
        from ..spec.errors import choices

        fail(f"there is no example `{name}`: {choices(name, example_names())}")
    put(output, example_text(name).encode(), force=force, stamped=False)
    for base in example_bases(name):
        if output is None or str(output) == "-":
            note(f"it extends {base}.yaml: modelwright new {base} > {base}.yaml")
        elif not (beside := output.with_name(f"{base}.yaml")).exists():
            put(beside, example_text(base).encode(), force=False, stamped=False)


def example_text(name: str) -> str:
    """The example without its modeline: the schema that it names is not beside the copy."""
    lines = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# yaml-language-server:"))


def example_bases(name: str) -> Iterator[str]:
    """The examples that this one extends, nearest first."""
    for line in example_text(name).splitlines():
        if line.startswith("extends: "):
            base = line.split()[1].removesuffix(".yaml")
            yield base
            yield from example_bases(base)
