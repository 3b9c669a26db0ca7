"""Copying the modules of `emitted/` into a run, with their slots filled for one model.

A module is read by `ast`. Two kinds of statements at its top are written anew: imports from beside
(`from .files import fail` becomes `from files import fail`), and assignments to slots
(`LAYERS = ("layers",)`). All others are copied as they stand, with their comments.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

SEAL = "\n\n# sha256 of the above: "
EMITTED = Path(__file__).parent / "emitted"


def copied(
    module: str,
    *,
    slots: Mapping[str, Any] | None = None,
    modules: Mapping[str, str] | None = None,
    classes: Mapping[str, str] | None = None,
) -> str:
    """The text of a module of `emitted/` as it stands in a run.

    slots: names of constants -> their values for this model
    modules: modules beside -> what they are called in a run, where that differs
    classes: names that are imported -> what they are called there

    Raises KeyError for a slot that the module does not assign.
    """
    text = (EMITTED / f"{module}.py").read_text(encoding="utf-8")
    lines, at = text.splitlines(keepends=True), 0
    left, renamed = dict(slots or {}), (modules or {}, classes or {})
    made: list[str] = []
    for nodes in _groups(ast.parse(text).body):
        fresh = [line for node in nodes for line in _fresh(node, left, *renamed)]
        if fresh:
            made += lines[at : nodes[0].lineno - 1]
            made += [f"{line}\n" for line in sorted(fresh, key=_import_order)]
            at = nodes[-1].end_lineno or nodes[-1].lineno
    if left:
        raise KeyError(f"{module} has no slot {', '.join(left)}")
    return "".join([*made, *lines[at:]])


def _groups(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The statements one by one, but imports from beside together: new names change their order."""
    for beside, nodes in groupby(
        body, lambda node: isinstance(node, ast.ImportFrom) and node.level
    ):
        if beside:
            yield list(nodes)
        else:
            yield from ([node] for node in nodes)


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line


def _fresh(
    node: ast.stmt, slots: dict[str, Any], modules: Mapping[str, str], classes: Mapping[str, str]
) -> Iterator[str]:
    """The lines in place of a statement; none for one that is copied."""
    if isinstance(node, ast.ImportFrom) and node.level:
        yield from _imports(node, modules, classes)
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        if name in slots:
            yield f"{name} = {literal(slots.pop(name))}"


def _imports(
    node: ast.ImportFrom, modules: Mapping[str, str], classes: Mapping[str, str]
) -> Iterator[str]:
    """`from .model import Model` as `from model import TinyGpt as Model`."""
    if node.module is None:
        yield from (f"import {modules.get(alias.name, alias.name)}" for alias in node.names)
        return
    names = [
        f"{classes[alias.name]} as {alias.name}" if alias.name in classes else alias.name
        for alias in node.names
    ]
    yield f"from {modules.get(node.module, node.module)} import {', '.join(names)}"


def sealed(text: str) -> str:
    """The text with its hash, as at the end of a built file: `is_ours_unedited` knows it again."""
    return f"{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def literal(value: Any) -> str:
    """A constant as a formatter writes it: numbers, strings in double quotes, tuples of them."""
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(literal, value))}{comma})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
