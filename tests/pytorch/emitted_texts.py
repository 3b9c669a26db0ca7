"""The files that the tests of emitted text read: every example and every variation."""

from __future__ import annotations

import ast
from functools import cache

from small_examples import NAMES, graph
from variations import VARIATIONS, emitted

from modelwright.backends.pytorch import Emitted, emit_file

ALL = (*(f"example {name}" for name in NAMES), *VARIATIONS)


@cache
def built(name: str) -> Emitted:
    """An emitted file, by the name of its example or variation."""
    kind, _, example = name.partition(" ")
    return emit_file(graph(example)) if kind == "example" else emitted(name)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(built(name).text)


def write_all(folder: str) -> None:
    """Every text as a file of its own, named so that a message tells which it is."""
    from pathlib import Path

    for number, name in enumerate(ALL):
        title = "".join(c if c.isalnum() else "_" for c in name)
        Path(folder, f"f{number}_{title}.py").write_text(built(name).text, encoding="utf-8")
