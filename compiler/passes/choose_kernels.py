"""Choose the kernel of each attention, and record the reason.

    sdpa       scaled_dot_product_attention, with a boolean mask or `is_causal`
    sdpa+bias  the same with an additive bias (-inf at masked pairs); sinks are the bias of one
           extra key, whose value is 0
    distance   sdpa+bias, with a bias that turns dot products into squared distances
    additive   additive scores, computed explicitly
    mixed      explicit scores and weights, whose heads are mixed or whose pairs have own values
    explicit   explicit scores, softmax and sum, for options that SDPA does not support

The attribute `implicit` of a mask op says what None means: `causal` or `full`; "" if the mask is
always computed. `causal` of an attend op: without a mask, it is causal.
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
    """Whether a missing mask means causal, or never occurs."""
    mask = graph.producer(attend.arg("mask"))
    return mask is not None and not mask.attrs["memory"] and mask.attrs.get("implicit") != "full"


def _stacks_with_implicit_causal(graph: ModuleGraph) -> set[str]:
    """Stacks in which some layer gets None as a causal mask.

    The other layers of these stacks, which always get a mask, are written in the same way.
    """
    return {
        op.attrs["stack"]
        for op in graph.ops()
        if op.kind == "mask" and op.attrs["implicit"] == "causal"
    }


def _kernel(op: Op) -> tuple[str, str]:
    if op.attrs.get("score") == "additive":
        return "additive", "additive scores"
    if op.attrs.get("score") == "distance":
        return "distance", "the squared lengths of the keys are added to the scores"
    if op.arg("mix_scores") or op.arg("mix_weights"):
        return "mixed", "the fused kernel cannot mix the heads"
    if op.arg("vectors"):
        return "mixed", "the fused kernel has no values of pairs"
    if op.attrs["softcap"] is not None:
        return "explicit", "the fused kernel has no softcap"
    if op.arg("sinks"):
        return "sdpa+bias", "the sinks are implemented as one extra zero key"
    if op.arg("bias"):
        return "sdpa+bias", "the bias and the mask are added to the scores"
    formula = str(op.attrs["formula"])
    if formula in ("causal", "full"):
        return "sdpa", f"the fused kernel supports a {formula} mask"
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
