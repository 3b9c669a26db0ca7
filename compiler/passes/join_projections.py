"""Fuse linear layers with the same input into one product (`build --join-projections`).

attention: query = linear(x), key = linear(x), value = linear(x)    ->    one of three results

Ops keep their weights and names, so checkpoints do not change. The attribute `joined` of an op
lists the ops that are computed together, including itself.
"""

from __future__ import annotations

from ..graph import ModuleGraph, Op


def join_projections(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    alike: dict[tuple[str, str, bool], list[Op]] = {}
    again = {(op.scope, op.name) for op in graph.ops() if op.kind == "linear_again"}
    for op in graph.ops():
        if may_be_joined(graph, op) and (op.scope, op.name) not in again:
            alike.setdefault((op.scope, op.arg("x"), op.attrs["bias"]), []).append(op)
    for group in alike.values():
        if len(group) > 1:
            names = tuple(op.name for op in group)
            for op in group:
                graph.replace_op(op.number, attrs={**op.attrs, "joined": names})
    return graph


def may_be_joined(graph: ModuleGraph, op: Op) -> bool:
    """Whether it is a linear layer inside a layer, with its own weights, in the model's dtype.

    Residual projections have a different initialisation and are not joined.
    """
    if op.kind != "linear" or graph.layers_of(op.scope) is None or op.attrs.get("wide"):
        return False
    return not any(weight.tied or weight.initial.residual for weight in op.weights)
