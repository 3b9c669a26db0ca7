"""Which modules can be opened in a figure."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph, Op, Scope
from .look import look_of

FORMS = ("box", "pill", "circle", "wave")


def outermost(graph: ModuleGraph, op: Op, below: str | None = None) -> Scope | None:
    """The outermost module of an op, or the outermost one inside `below`."""
    found, path = None, op.scope
    while path and path != below:
        scope = graph.scopes[path]
        if scope.role == "module":
            found = scope
        path = scope.parent or ""
    return found


def openable(graph: ModuleGraph) -> set[str]:
    """The modules that can be opened: several parts, and one main input.

    A module that reads several surrounding values stays one box.
    """
    parts: dict[str, int] = {}
    read: dict[str, set[str]] = {}
    for op in graph.ops():
        module = outermost(graph, op)
        if module is None:
            continue
        parts[module.path] = parts.get(module.path, 0) + (look_of(op).form in FORMS)
        values = (value for value in op.inputs if value and _near(graph, value, module))
        read.setdefault(module.path, set()).update(_origin(graph, value) for value in values)
    return {path for path, count in parts.items() if count > 1 and len(read[path]) <= 1}


def _near(graph: ModuleGraph, value: str, module: Scope) -> bool:
    """Whether a value is computed next to the module: in its block, or for a head in the model."""
    op = graph.producer(value)
    if op is None or graph.values[value].dtype != "float" or graph.inside(op.scope, module.path):
        return False
    return graph.block_of(op.scope) == graph.block_of(module.path)


def _origin(graph: ModuleGraph, value: str) -> str:
    """The source of a value, before steps that are not drawn."""
    op = graph.producer(value)
    while op is not None and look_of(op).form == "through" and op.first:
        value = op.first
        op = graph.producer(value)
    return value
