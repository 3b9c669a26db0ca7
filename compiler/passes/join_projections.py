"""Linear layers that read the same become one product: a pass that `build` runs when asked.

attention: query = linear(x), key = linear(x), value = linear(x)    ->    one of three results

Only how it is computed changes. Each op keeps its weights and their names, so checkpoints are read
and written as before; `joined` on an op names those that it is computed with, itself among them.
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
    """A linear layer of a module in a layer, with weights of its own, in the model's dtype.

    What writes into the stream is drawn narrower than what stands beside it, and stays alone.
    """
    if op.kind != "linear" or graph.layers_of(op.scope) is None or op.attrs.get("wide"):
        return False
    return not any(weight.tied or weight.initial.residual for weight in op.weights)
