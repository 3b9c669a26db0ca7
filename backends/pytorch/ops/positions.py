"""Where tokens stand: their numbers, and sinusoids of them."""

from __future__ import annotations

from collections.abc import Callable

from ....compiler.graph import Op
from ....compiler.sizes import Size
from ..function import Function
from ..text import ATOM, PRODUCT, SUM, Expr, literal
from .row import Row, call


def position_ids(f: Function, op: Op) -> None:
    given, data, rule = op.inputs[0], op.inputs[1], op.attrs["rule"]
    if not given:
        bound = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
        f.say(f"{bound} = {count_by_index(f, op, data)[0]}", "(T,)", op.number)
        return
    name = str(f.use(given))
    text, note = COUNTINGS[rule](f, op, data)
    if f.pending[given] > 0:  # the stack also counts by another rule
        other = f.bind(op.outputs[0], "places")
        f.say(f"{other} = {name}", op=op.number)
        f.say(f"if {other} is None:", op=op.number)
        f.say(f"{other} = {text}", note, op.number, indent=1)
        return
    f.say(f"if {name} is None:", op=op.number)
    f.say(f"{name} = {text}", note, op.number, indent=1)
    f.names[op.outputs[0]] = name
    f.holds[name] = op.outputs[0]


def count_by_index(f: Function, op: Op, data: str) -> tuple[str, str]:
    return f.counted(), "(T,)"


def count_by_mask(f: Function, op: Op, data: str) -> tuple[str, str]:
    helper = f.helper("positions", "positions_past_padding")
    return str(call(helper, str(f.use(data)), f.counted())), ""


def count_by_tokens(f: Function, op: Op, data: str) -> tuple[str, str]:
    helper = f.helper("positions", "positions_of_tokens")
    return str(call(helper, str(f.use(data)), literal(op.attrs["pad"]))), "(B, T)"


COUNTINGS: dict[str, Callable[[Function, Op, str], tuple[str, str]]] = {
    "index": count_by_index,
    "mask": count_by_mask,
    "tokens": count_by_tokens,
}


def shift(f: Function, op: Op) -> Expr:
    amount = op.attrs["amount"]
    sign = "-" if amount < 0 else "+"
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} {sign} {literal(abs(amount))}", SUM)


def sinusoid(f: Function, op: Op) -> Expr:
    width: Size = op.attrs["width"].size
    half = width // 2
    denominator = f.number(half)
    if op.attrs["denominator"] == "half_minus_one":
        denominator += " - 1"
    name = "interleaved_sinusoids" if op.attrs["layout"] == "interleaved" else "sinusoids"
    helper = f.helper("positions", name)
    positions = str(f.use(op.inputs[0]))
    return call(helper, positions, f.number(width), denominator, f"like={f.like}")


def sharpness(f: Function, op: Op) -> None:
    helper = f.helper("positions", "growing_sharpness")
    positions = str(f.use(op.inputs[0]))
    numbers = (f.number(op.attrs[key]) for key in ("length", "slope"))
    text = call(helper, positions, *numbers, f"like={f.like}")
    name = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
    f.say(f"{name} = {text}", "(T, 1) or (B, 1, T, 1)", op.number)


def sharpen(f: Function, op: Op) -> Expr:
    x, factor = (f.use(value) for value in op.inputs)
    return Expr(f"({x.at(PRODUCT)} * {factor.at(PRODUCT + 1)}).type_as({x})", ATOM)


ROWS: dict[str, Row] = {
    "sharpness": sharpness,
    "sharpen": sharpen,
    "position_ids": position_ids,
    "shift": shift,
    "sinusoid": sinusoid,
}
