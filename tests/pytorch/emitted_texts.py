"""The emitted files of every example and every variation, for tests that read them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from small_examples import FOLDER, NAMES, graph
from variations import VARIATIONS, emitted

from modelwright.backends.pytorch import Emitted, emit_file
from modelwright.compiler import lower
from modelwright.spec import load, loads

ALL = (*(f"example {name}" for name in NAMES), *VARIATIONS)


@cache
def built(name: str) -> Emitted:
    """An emitted file, by the name of its example or variation."""
    kind, _, example = name.partition(" ")
    return emit_file(graph(example)) if kind == "example" else emitted(name)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(built(name).text)


def digests(names: Sequence[str]) -> dict[str, str]:
    """The hash of each file, read, lowered and written anew."""
    found = {}
    for name in names:
        kind, _, example = name.partition(" ")
        variation = VARIATIONS.get(name)
        if variation is None:
            assert kind == "example"
            spec = load(FOLDER / f"{example}.yaml")
        else:
            spec = loads(variation.text, sets=variation.sets)
        found[name] = hashlib.sha256(emit_file(lower(spec)).text.encode()).hexdigest()
    return found


def write_all(folder: Path, names: Sequence[str] = ALL) -> None:
    """Every text as a file of its own, named so that a message tells which it is."""
    for number, name in enumerate(names):
        title = "".join(c if c.isalnum() else "_" for c in name)
        (folder / f"f{number}_{title}.py").write_text(built(name).text, encoding="utf-8")
