"""Move ops with the same result in every layer out of the layers, to compute them once.

    layers/attention: cos, sin = rope_table(positions)    ->    model: cos, sin = rope_table(...)
    layers/attention: mask = mask(attention_mask)         ->    model: mask = mask(attention_mask)

An op is moved if it has no weights and no state, and does not depend on values of a layer. The keys
and values of a memory stay together.
"""

from __future__ import annotations

from ..graph import ModuleGraph, Op
from ..ops import OPS

STATEFUL = {
    "dropout",
    "drop_path",
    "drop_labels",
    "cache",
    "layer_input",
}
IN_PLACE = {"last_state"}
"""Ops that are views of one value: a module is clearer with them."""


def hoist_invariants(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    for op in graph.ops():
        layers = graph.layers_of(op.scope)
        if layers is None or not _movable(graph, op, layers.path):
            continue
        assert layers.parent is not None
        graph.replace_op(op.number, scope=layers.parent)
    return graph


def _movable(graph: ModuleGraph, op: Op, layers: str) -> bool:
    if op.weights or op.kind in STATEFUL | IN_PLACE or OPS[op.kind].uses_layer:
        return False
    if graph.scopes[op.scope].role == "method":
        return False  # the cache has the keys and values of a memory
    producers = [graph.producer(value) for value in op.inputs if value]
    return not any(p is not None and graph.inside(p.scope, layers) for p in producers)
