"""Let FlexAttention compute attention, for `build --kernel flex`.

    y = attend(q, k, v, mask)         ->    the same, `flex`: the mask is a BlockMask

    bias = masked_bias(bias, mask)    ->    y = attend(q, k, v, mask, bias), `flex`
    y = attend(q, k, v, "", bias)

Attention to a memory, and attention without a mask, stay with SDPA.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import ModuleGraph, Op
from ..mask_users import mask_of, masks_of
from .use_tiles import without_tiles

CUDA = "FlexAttention needs CUDA (`build --kernel flex`)"
KERNELS = ("sdpa", "sdpa+bias", "explicit")
"""Kernels that FlexAttention replaces: products of queries and keys, a bias, sinks, a softcap."""


def use_flex(graph: ModuleGraph) -> ModuleGraph:
    """The graph as it is emitted. Only for graphs of which `refused` returns ""."""
    graph = without_tiles(graph)
    for op in attentions(graph):
        apart: dict[str, str] = {}
        joined = graph.producer(op.arg("bias"))
        if joined is not None and joined.kind == "masked_bias":
            apart = {"mask": joined.arg("mask"), "bias": joined.arg("bias")}
        given = zip(op.slots, op.inputs, strict=True)
        inputs = tuple(apart.get(slot, value) for slot, value in given)
        attrs = {**op.attrs, "flex": True, "causal": False}
        graph.replace_op(op.number, inputs=inputs, attrs=attrs)
    for op in graph.ops():
        if op.kind == "masked_bias" and not graph.consumers(op.outputs[0]):
            graph.remove_op(op.number)
    for op in graph.ops():
        if op.kind == "mask" and any(user.attrs.get("flex") for user in _users(graph, op)):
            graph.replace_op(op.number, attrs={**op.attrs, "flex": True, "implicit": ""})
            value = graph.values[op.outputs[0]]
            graph.values[value.id] = replace(value, optional=False)
        elif op.kind == "alibi" and all(user.attrs.get("flex") for user in _users(graph, op)):
            _slopes(graph, op)
    return graph


def _users(graph: ModuleGraph, op: Op) -> list[Op]:
    return graph.consumers(op.outputs[0])


def _slopes(graph: ModuleGraph, op: Op) -> None:
    """Only the slopes of the heads are computed, not the bias of all pairs."""
    graph.replace_op(op.number, attrs={**op.attrs, "flex": True})
    value = graph.values[op.outputs[0]]
    name = value.name.replace("bias", "slopes")
    made = replace(value, name=name, base="", shape=(op.attrs["heads"],))
    graph.values[value.id] = made


def attentions(graph: ModuleGraph) -> list[Op]:
    """The attentions with a mask over their own sequence."""
    found = [(op, mask_of(graph, op)) for op in graph.ops() if op.kind == "attend"]
    return [op for op, mask in found if mask is not None and not mask.attrs["memory"]]


def refused(graph: ModuleGraph) -> str:
    """Why FlexAttention cannot compute the attentions of a graph; "" if it can."""
    found = attentions(graph)
    if not found:
        return "no attention has a mask"
    return next(filter(None, (why_no_flex(graph, op) for op in found)), "")


def why_no_flex(graph: ModuleGraph, attend: Op) -> str:
    """Why FlexAttention cannot compute an attention, whatever the device; "" if it can."""
    if len(graph.values[attend.arg("q")].shape) != 4:
        return "FlexAttention has one axis of tokens"
    if attend.attrs["kernel"] not in KERNELS:
        kernel = attend.attrs["kernel"]
        return "FlexAttention has no " + (
            "talking heads" if kernel == "mixed" else f"{kernel} scores"
        )
    if len(masks_of(graph, attend)) > 1:
        return "its heads have different masks"
    if attend.attrs["dropout"] is not None:
        return "FlexAttention has no dropout; add --set dropout=0"
    return ""
