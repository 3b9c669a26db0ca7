"""Calls of FlexAttention, with functions that change scores."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Argument, Call, Name
from ..code.read import call, constant, expression
from ..writer import Writer


def flex(f: Writer, op: Op) -> Any:
    """The call of FlexAttention."""
    arguments = [*map(Argument, f.use_all(map(op.arg, ("q", "k", "v", "mask"))))]
    if op.arg("sinks"):
        arguments.append(Argument(f.use(op.arg("sinks"))))
    score = _score(f, op)
    if score is not None:
        arguments.append(Argument(score, "score_mod"))
    if op.attrs["scale"] is not None:
        arguments.append(Argument(f.number(op.attrs["scale"]), "scale"))
    if op.attrs["heads"] != op.attrs["kv_heads"]:
        arguments.append(Argument(constant(True), "enable_gqa"))
    name = "fused_attention_with_sinks" if op.arg("sinks") else "fused_attention"
    return Call(Name(name), tuple(arguments))


def _score(f: Writer, op: Op) -> Any:
    """The function that changes scores, or None."""
    before = []
    if op.attrs["softcap"] is not None:
        before = [call("capped_score", f.number(op.attrs["softcap"]))]
    if not op.arg("bias"):
        return before[0] if before else None
    bias, made = f.use(op.arg("bias")), f.graph.producer(op.arg("bias"))
    if made is None or not made.attrs.get("flex"):
        return call("biased_score", bias, *before)
    q, k = f.use_all(map(op.arg, "qk"))
    first = expression("k.size(2) - q.size(2)", q=q, k=k)
    return call("alibi_score", bias, first, *before)


def slopes(f: Writer, op: Op) -> Any:
    """The slopes of ALiBi, which are its bias at a distance of 1, (H,)."""
    name = "alibi_bias_ceil" if op.attrs["rule"] == "ceil" else "alibi_bias"
    heads, scale = f.number(op.attrs["heads"].size), op.attrs["scale"]
    factor = constant(1.0) if scale is None else f.number(scale)
    one = expression("torch.ones(1, device=like.device)", like=f.like)
    made = call(name, one, constant(1), heads, factor, like=f.like)
    return expression("bias.flatten()", bias=made)
