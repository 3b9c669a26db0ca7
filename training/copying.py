"""Copy the modules of `emitted/` into a run, with their constants filled in for one model.

Two kinds of top-level statements are rewritten: relative imports (`from .files import fail` becomes
`from files import fail`), and assignments of slots (`LAYERS = ("layers",)`). All others are copied
with their comments.
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
    """The source of a module of `emitted/` for a run.

    slots: names of constants -> their values for this model
    modules: other modules -> their names in a run, if they differ
    classes: imported names -> their names in a run

    Raises KeyError for a slot that the module does not have.
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
    """The statements; relative imports are grouped, since renaming changes their order."""
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
    """The replacement of a statement; None if it is copied."""
    if isinstance(node, ast.ImportFrom) and node.level:
        yield from _imports(node, modules, classes)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id in slots:
            kind = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
            yield assignment(f"{target.id}{kind}", slots.pop(target.id))


def _imports(
    node: ast.ImportFrom, modules: Mapping[str, str], classes: Mapping[str, str]
) -> Iterator[str]:
    """`from .model import Model` as `from model import TinyGpt as Model`."""
    if node.module is None:
        yield from (f"import {modules.get(alias.name, alias.name)}" for alias in node.names)
        return
    names = [
        f"{classes[alias.name]} as {alias.asname or alias.name}"
        if alias.name in classes
        else ast.unparse(alias)
        for alias in node.names
    ]
    start = f"from {modules.get(node.module, node.module)} import"
    line = f"{start} {', '.join(names)}"
    several = "\n".join([f"{start} (", *(f"    {name}," for name in names), ")"])
    yield line if len(line) <= 100 else several


def assignment(target: str, value: Any) -> str:
    """`target = value`, with one item per line if it is longer than 100 columns."""
    line = f"{target} = {literal(value)}"
    if len(line) <= 100 or not isinstance(value, tuple):
        return line
    return "\n".join([f"{target} = (", *(f"    {literal(item)}," for item in value), ")"])


def sealed(text: str) -> str:
    """The text with its hash at the end, for `is_ours_unedited`."""
    return f"{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def literal(value: Any) -> str:
    """A formatted constant: numbers, strings in double quotes, tuples."""
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(literal, value))}{comma})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
