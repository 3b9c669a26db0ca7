"""Compute the attention weights of each attention (`build --attention-weights`).

    y = attend(q, k, v, mask), kernel `sdpa`    ->    the same, kernel `weights`

Scores, softmax and weighted sum are then separate steps, and no mask is left to a fused kernel.
Ops keep their weights and names, so checkpoints do not change. The attribute `kept` of an op is the
name of the module that its attention weights pass through, for forward hooks; of a recurrence, with
a cache of its own, it is `hooked`.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import ModuleGraph, Op

KERNEL = "weights"


def keep_weights(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    for op in graph.ops():
        if op.kind == "mask" and op.attrs["implicit"] == "causal":
            graph.replace_op(op.number, attrs={**op.attrs, "implicit": ""})
    for op in attentions(graph):
        if op.kind == "recur":
            graph.replace_op(op.number, attrs={**op.attrs, "hooked": kept_name(graph, op)})
            continue
        changed = {"kernel": KERNEL, "causal": False, "tiles": None, "kept": kept_name(graph, op)}
        graph.replace_op(op.number, attrs={**op.attrs, **changed})
        mask = graph.producer(op.arg("mask"))
        if mask is not None and mask.attrs.get("implicit") != "full":
            value = graph.values[op.arg("mask")]
            graph.values[value.id] = replace(value, optional=False)
    return graph


def attentions(graph: ModuleGraph) -> list[Op]:
    """The ops with attention weights, in order; not those along an axis of a stream.

    A recurrence that attends to a memory has weights for each token.
    """
    return [
        op
        for op in graph.ops()
        if (op.kind == "attend" and len(graph.values[op.arg("q")].shape) == 4)
        or (op.kind == "recur" and op.attrs["query"] is not None)
    ]


def kept_name(graph: ModuleGraph, op: Op) -> str:
    """`weights`, or `weights_global` for the separate projections of global tokens."""
    if op.kind == "recur":
        return "weights"
    value = graph.values[op.outputs[0]]
    return f"weights{(value.base or value.name).removeprefix('y')}"


def why_no_weights(graph: ModuleGraph) -> str:
    """Why no attention of this model has weights of pairs; "" if one has."""
    if attentions(graph):
        return ""
    kinds = {op.kind for op in graph.ops()}
    if "attend_linearly" in kinds:
        return "linear attention sums keys and values, without weights of pairs"
    if "pool_heads" in kinds:
        return "Fastformer pools queries and keys, without weights of pairs"
    if "attend" in kinds:
        return "attentions along an axis of a stream have weights for each row"
    return "it has no attention"
