"""`modelwright new`: example specs to start from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from .console import fail, note, print_result, write_result
from .options import OUTPUT, force_option, quiet

EXAMPLES = Path(__file__).parent.parent / "examples"


def example_names() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def _complete_example(_ctx: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    return [name for name in example_names() if name.startswith(start)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete_example)
@click.option("-o", "--output", type=OUTPUT, help="Output file. [default: stdout]")
@force_option
@quiet
def new(name: str | None, output: Path | None, force: bool) -> None:
    """List the example specs, or write one to start from.

    \b
      modelwright new                       list the examples
      modelwright new gpt2 > gpt2.yaml
      modelwright new gpt2_xl -o xl.yaml    also writes gpt2.yaml, which it extends
    """
    if name is None:
        width = max(map(len, example_names()))
        lines = [
            f"{each:<{width}}  {example_text(each).partition(chr(10))[0][2:]}"
            for each in example_names()
        ]
        print_result("\n".join(lines))
        return
    found = name.removesuffix(".yaml").replace("-", "_")
    if found not in example_names():
        fail(f"there is no example `{name}`; {_suggestion(found)}")
    write_result(output, example_text(found).encode(), force=force, stamped=False)
    from ..outputs import is_stream

    for base in example_bases(found):
        if output is None or str(output) == "-" or is_stream(output):
            note(f"it extends {base}.yaml: modelwright new {base} > {base}.yaml")
        elif not (beside := output.with_name(f"{base}.yaml")).exists():
            write_result(beside, example_text(base).encode(), force=False, stamped=False)


def _suggestion(name: str) -> str:
    """Examples with similar names."""
    from ..spec.errors import nearest

    plain = _plain(name)
    names = {each: _plain(each) for each in example_names()}
    for similar in (
        [each for each, text in names.items() if text == plain],
        [each for each, text in names.items() if plain and text.startswith(plain)],
        [each for each, text in names.items() if len(plain) > 3 and plain in text],
    ):
        if len(similar) == 1:
            return f"did you mean `{similar[0]}`?"
        if similar:
            return f"did you mean one of {', '.join(similar)}?"
    close = nearest(plain, names.values())
    if close is not None:
        return f"did you mean `{next(each for each, text in names.items() if text == close)}`?"
    return "`modelwright new` lists the examples"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def example_text(name: str) -> str:
    """The example without its modeline, which refers to a schema that is not copied."""
    lines = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# yaml-language-server:"))


def example_bases(name: str) -> Iterator[str]:
    """The examples that an example extends, nearest first."""
    for line in example_text(name).splitlines():
        if line.startswith("extends: "):
            base = line.split()[1].removesuffix(".yaml")
            yield base
            yield from example_bases(base)
