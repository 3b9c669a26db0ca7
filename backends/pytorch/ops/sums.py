"""Attention without scores of pairs: sums over the keys, made once."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, PRODUCT, Expr
from .kernels import dropout_rate
from .row import Row, call


def pool_heads(f: Function, op: Op) -> Expr:
    x, padding = (str(f.use(value)) if value else "None" for value in op.inputs)
    arguments = [x, f"self.{op.name}", padding]
    if rate := dropout_rate(f, op):
        arguments.append(rate)
    return call(f.helper("linear", "pool_heads"), *arguments)


def without_padding(f: Function, op: Op) -> Expr:
    helper = f.helper("linear", "without_padding")
    return call(helper, *(str(f.use(value)) for value in op.inputs))


def append_ones(f: Function, op: Op) -> Expr:
    return Expr(f"F.pad({f.use(op.inputs[0])}, (0, 1), value=1.0)")


def by_last(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    return Expr(f"{x}[..., :-1] / ({x}[..., -1:] + 1e-6)", PRODUCT)


def decay_rates(f: Function, op: Op) -> Expr:
    helper = f.helper("linear", "lightning_rates")
    numbers = f.number(op.attrs["heads"].size), f.layer(), f.number(op.attrs["layers"])
    return call(helper, *numbers, f"like={f.like}")


def attend_linearly(f: Function, op: Op) -> Expr | None:
    given = [str(f.use(value)) for value in op.inputs if value]
    if not op.attrs["causal"]:
        return call(f.helper("linear", "linear_attention"), *given)
    name = "fading_linear_attention" if op.inputs[3] else "causal_linear_attention"
    helper = f.helper("linear", name)
    if not op.attrs["cached"] or not f.cached:
        return Expr(f"{call(helper, *given, 'None')}[0]")
    state = f"cache.states[{f.layer()}]"
    f.say(f"state = None if cache is None else cache.state({f.layer()})", "", op.number)
    y = f.bind(op.outputs[0], "y")
    f.say(f"{y}, state = {call(helper, *given, 'state')}", "", op.number)
    f.say("if cache is not None:", op=op.number)
    f.say(f"{state} = state", "", op.number, indent=1)
    return None


ROWS: dict[str, Row] = {
    "pool_heads": pool_heads,
    "without_padding": without_padding,
    "append_ones": append_ones,
    "by_last": by_last,
    "decay_rates": decay_rates,
    "attend_linearly": attend_linearly,
}
