"""The ways to attend, one function for each kernel that a pass may have chosen."""

from __future__ import annotations

from collections.abc import Callable

from ....compiler.graph import Op
from ....compiler.sizes import Size
from ..function import Function
from ..layout import wrap
from ..text import PRODUCT, Expr
from .row import call


def dropout_rate(f: Function, op: Op) -> str:
    rate = op.attrs["dropout"]
    if rate is None:
        return ""
    text = f"dropout = {f.number(rate)} if self.training else 0.0"
    if all(line.text != text for line in f.lines):
        f.say(text, "", op.number)
    return "dropout"


def _given(f: Function, op: Op) -> tuple[list[str], str]:
    """Queries, keys and values, and the mask or the bias of the scores, by their names."""
    q, k, v = (str(f.use(value)) for value in op.inputs[:3])
    masked, biased, sinks = op.arg("mask"), op.arg("bias"), op.arg("sinks")
    given = str(f.use(biased or masked)) if biased or masked else ""
    if not sinks:
        return [q, k, v], given
    learned = f.use(sinks)
    if not biased:
        mask, given = given, f.bind(sinks, "bias")
        note = "(B, H, T, S)"
        f.say(
            f"{given} = {call(f.helper('functions', 'as_bias'), mask or 'None', q, k)}",
            note,
            op.number,
        )
    wider = call(f.helper("functions", "with_sinks"), k, v, given, str(learned))
    f.say(f"{k}, {v}, {given} = {wider}", "one key more, of zeros", op.number)
    return [q, k, v], given


def sdpa(f: Function, op: Op) -> Expr:
    arguments, name = _given(f, op)
    q = arguments[0]
    if name:
        arguments.append(name)
    if rate := dropout_rate(f, op):
        arguments.append(rate if name else f"dropout_p={rate}")
    if f.structure.told_causal(f.place.path):
        arguments.append("causal" if rate else "is_causal=causal")
    elif op.attrs["causal"] and not f.structure.causal_given:
        arguments.append(f"is_causal={causal_case(f, name, f'{q}.size(2)')}")
    if op.attrs["scale"] is not None:
        arguments.append(f"scale={f.number(op.attrs['scale'])}")
    if op.attrs["heads"] != op.attrs["kv_heads"] and not op.arg("sinks"):
        arguments.append("enable_gqa=True")
    return _causal_by_name(f, op, arguments)


def causal_case(f: Function, mask: str, tokens: str) -> str:
    """When the kernel makes the causal mask: none is given, and not for one token alone."""
    # sizes first: while torch compiles for any length, a comparison of them is no bool yet, and
    # the kernel wants one
    return (f"{tokens} > 1 and " if f.cached else "") + f"{mask} is None"


def _causal_by_name(f: Function, op: Op, arguments: list[str]) -> Expr:
    """The kernel's call; the case for its own causal mask has a name where that is shorter."""
    function = "F.scaled_dot_product_attention"
    long = call(function, *arguments)
    case = next((a for a in arguments if a.startswith("is_causal=")), "")
    name = "causal" if any(a == "dropout" for a in arguments) else "is_causal=causal"
    short = call(function, *(name if a == case else a for a in arguments))
    rows = [len(wrap(f"y = {text}", 8, f.comment(*op.outputs))) for text in (long, short)]
    if not case or rows[0] <= rows[1] + 1:
        return long
    f.say(f"causal = {case.removeprefix('is_causal=')}", "", op.number)
    return short


def explicit(f: Function, op: Op) -> Expr:
    (q, k, v), given = _given(f, op)
    name = "biased_explicit_attention" if op.inputs[4] or op.arg("sinks") else "explicit_attention"
    arguments = [q, k, v, given or "None", _scale_text(f, op), f.number(op.attrs["softcap"])]
    if rate := dropout_rate(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def distance(f: Function, op: Op) -> Expr:
    q, k, v, given = (str(f.use(value)) if value else "" for value in _operands(op))
    arguments = [q, k, v, given or "None", _scale_text(f, op)]
    name = "biased_distance_attention" if op.inputs[4] else "distance_attention"
    if rate := dropout_rate(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def additive(f: Function, op: Op) -> Expr:
    q, k, v, given = (str(f.use(value)) if value else "" for value in _operands(op))
    vector, scale = f.use(op.arg("vector")), op.attrs["scale"]
    weights = str(vector) if scale == 1 else f"{vector.at(PRODUCT)} * {f.number(scale)}"
    arguments = [q, k, v, weights, given or "None"]
    name = "biased_additive_attention" if op.inputs[4] else "additive_attention"
    if rate := dropout_rate(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def _operands(op: Op) -> tuple[str, ...]:
    """Queries, keys, values, and the bias or else the mask."""
    return (*op.inputs[:3], op.inputs[4] or op.inputs[3])


def _scale_text(f: Function, op: Op) -> str:
    width: Size = f.graph.values[op.inputs[0]].shape[-1].size  # type: ignore[assignment]
    if op.attrs["scale"] is None:
        return f"{f.number(width, 'head_dim')}**-0.5"
    return f.number(op.attrs["scale"])


KERNELS: dict[str, Callable[[Function, Op], Expr]] = {
    "sdpa": sdpa,
    "sdpa+bias": sdpa,
    "explicit": explicit,
    "distance": distance,
    "additive": additive,
}
