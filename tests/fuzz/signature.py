"""Everything in a graph that describes its computation, for comparing two graphs."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from modelwright.compiler import ModuleGraph, Op, Scope
from modelwright.compiler.axes import Dim
from modelwright.compiler.sizes import Field, InverseRoot, Size

PIECES = ("ops", "values", "scopes", "fields", "outputs", "hidden", "limits", "predicts_next")
FACTS = ("lengths", "heads", "inputs", "init", "tokens")
APART = ("origin", "places", "number", "comment", "title")
"""Where it was said, and comments."""


def signature(graph: ModuleGraph) -> Any:
    """All that a graph says of the computation, without where in the spec it was said."""
    tables = {"ops": list(graph.ops())}
    for name in (*PIECES[1:], *FACTS):
        tables[name] = getattr(graph, name)
    return repr({name: plain(table) for name, table in tables.items()})


def plain(value: Any) -> Any:
    if isinstance(value, Size):
        return value.code(), int(value)
    if isinstance(value, Field):
        return value.name, value.value
    if isinstance(value, InverseRoot):
        return float(value), value.times, plain(value.width)
    if isinstance(value, Dim):
        return value.label, plain(value.size)
    if isinstance(value, (Op, Scope)) or is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in APART]  # type: ignore[arg-type]
        return type(value).__name__, {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return repr(value)
