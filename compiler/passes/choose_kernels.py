"""Decide for each attend how it is computed, and write the reason on the node.

    sdpa       scaled_dot_product_attention, with a boolean mask or the kernel's own causal one
    sdpa+bias  the same, with the bias (and -inf where the mask forbids) added to the scores; sinks
               are the bias of one key more, whose value is 0
    distance   sdpa+bias, where the bias makes squared distances of the products
    additive   scores of sums as written
    explicit   scores, softmax and sum as written: for what the fused kernel cannot express

A mask that the kernel knows by itself need not be made: `implicit` on a mask op is `causal` (None
means causal) or `full` (None means all); "" says that the mask is always made. `causal` on an
attend says that it takes no mask for the causal one.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import ModuleGraph, Op


def choose_kernels(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    for op in graph.ops():
        if op.kind == "attend":
            kernel, reason = _kernel(op)
            graph.replace_op(op.number, attrs={**op.attrs, "kernel": kernel, "reason": reason})
    for op in graph.ops():
        if op.kind == "mask":
            implicit = _implicit(graph, op)
            graph.replace_op(op.number, attrs={**op.attrs, "implicit": implicit})
            if not implicit:
                _require(graph, op.outputs[0])
    stacks = _stacks_with_implicit_causal(graph)
    for op in graph.ops():
        if op.kind == "attend":
            alike = graph.scopes[op.scope].stack in stacks and _may_take_is_causal(graph, op)
            fused = alike and op.attrs["kernel"] == "sdpa"
            graph.replace_op(op.number, attrs={**op.attrs, "causal": fused})
            if alike:
                value = graph.values[op.arg("mask")]
                graph.values[value.id] = replace(value, optional=True)
    return graph


def _may_take_is_causal(graph: ModuleGraph, attend: Op) -> bool:
    """Is no mask the causal one here, or never the case? Not so where None means all."""
    mask = graph.producer(attend.arg("mask"))
    return mask is not None and not mask.attrs["memory"] and mask.attrs.get("implicit") != "full"


def _stacks_with_implicit_causal(graph: ModuleGraph) -> set[str]:
    """Stacks in which some layer gets None for a causal mask.

    Layers whose mask is always made are then written alike: they never get None.
    """
    return {
        op.attrs["stack"]
        for op in graph.ops()
        if op.kind == "mask" and op.attrs["implicit"] == "causal"
    }


def _kernel(op: Op) -> tuple[str, str]:
    if op.attrs.get("score") == "additive":
        return "additive", "a query and a key are added, not multiplied"
    if op.attrs.get("score") == "distance":
        return "distance", "the squared lengths of the keys are added to the scores"
    if op.attrs["softcap"] is not None:
        return "explicit", "the fused kernel has no softcap"
    if op.arg("sinks"):
        return "sdpa+bias", "the sinks are implemented as one extra zero key"
    if op.arg("bias"):
        return "sdpa+bias", "the bias and the mask are added to the scores"
    formula = str(op.attrs["formula"])
    if formula in ("causal", "full"):
        return "sdpa", f"the fused kernel knows a {formula} mask"
    return "sdpa", "one dense boolean mask"


def _implicit(graph: ModuleGraph, op: Op) -> str:
    formula = str(op.attrs["formula"])
    users = graph.consumers(op.outputs[0])
    if any(user.kind == "head_masks" for user in users):
        return ""
    if formula == "full":
        return "full"
    fused = all(user.kind == "attend" and user.attrs["kernel"] == "sdpa" for user in users)
    return "causal" if formula == "causal" and fused else ""


def _require(graph: ModuleGraph, value: str) -> None:

    graph.values[value] = replace(graph.values[value], optional=False)
