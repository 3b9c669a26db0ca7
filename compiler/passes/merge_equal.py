"""Merge equal ops without weights and with the same inputs.

model: cos_1, sin_1 = rope_table(positions)           ->    model: cos, sin = rope_table(...)
model: cos_2, sin_2 = rope_table(positions)
"""

from __future__ import annotations

from typing import Any

from ..graph import ModuleGraph, Op
from ..sizes import Field, InverseRoot, Size

DISTINCT = {
    "dropout",
    "drop_path",
    "drop_labels",
    "cache",
    "attend_linearly",
    "layer_input",
    "argument",
}


def merge_equal(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    renamed: dict[str, str] = {}
    seen: dict[Any, Op] = {}
    for op in graph.ops():
        inputs = op.inputs.renamed(renamed)
        if inputs is not op.inputs:
            op = graph.replace_op(op.number, inputs=inputs)
        if op.weights or op.kind in DISTINCT or graph.layers_of(op.scope) is not None:
            continue
        key = (op.kind, op.inputs, op.scope, _frozen(op.attrs))
        first = seen.setdefault(key, op)
        if first is not op:
            renamed.update(zip(op.outputs, first.outputs, strict=True))
            graph.remove_op(op.number)
    return graph


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(part)) for key, part in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, Field):
        return value.name, value.value
    if isinstance(value, Size):
        return value.code(), int(value)
    if isinstance(value, InverseRoot):
        return value.times, value.width.code()
    return repr(value)
