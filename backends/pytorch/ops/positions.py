"""Positions and sinusoids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.graph import Op
from ....compiler.sizes import Size
from ..code.nodes import If, Name, Set
from ..code.read import call, constant, expression
from ..writer import Writer
from .row import Row


def position_ids(f: Writer, op: Op) -> None:
    given, data, rule = op.arg("position_ids"), op.arg("data"), op.attrs["rule"]
    if not given:
        bound = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
        f.assign(bound, f.counted(), "(T,)", op)
        return
    name = f.use(given)
    counted, note = COUNTINGS[rule](f, op, data)
    if f.pending[given] > 0:  # the stack also uses another counting rule
        other = Name(f.bind(op.outputs[0], "places"))
        f.say(Set(other, name), op=op)
        name = other
    else:
        f.hold(op.outputs[0], name.id)
    f.say(If(expression("x is None", x=name), (Set(name, counted, note),)), op=op)


def count_by_index(f: Writer, op: Op, data: str) -> tuple[Any, str]:
    return f.counted(), "(T,)"


def count_by_mask(f: Writer, op: Op, data: str) -> tuple[Any, str]:
    return call("positions_past_padding", f.use(data), f.counted()), ""


def count_by_tokens(f: Writer, op: Op, data: str) -> tuple[Any, str]:
    return call(
        "positions_of_tokens", f.use(data), pad_token_id=constant(op.attrs["pad"])
    ), "(B, T)"


COUNTINGS: dict[str, Callable[[Writer, Op, str], tuple[Any, str]]] = {
    "index": count_by_index,
    "mask": count_by_mask,
    "tokens": count_by_tokens,
}


def shift(f: Writer, op: Op) -> Any:
    x, amount = f.arg(op, "x"), op.attrs["amount"]
    template = "x - amount" if amount < 0 else "x + amount"
    return expression(template, x=x, amount=constant(abs(amount)))


def sinusoid(f: Writer, op: Op) -> Any:
    width: Size = op.attrs["width"].size
    denominator = f.number(width // 2)
    if op.attrs["denominator"] == "half_minus_one":
        denominator = expression("half - 1", half=denominator)
    name = "sinusoid_pairs" if op.attrs["layout"] == "interleaved" else "sinusoids"
    return call(name, f.arg(op, "positions"), f.number(width), denominator, like=f.like)


def sharpness(f: Writer, op: Op) -> None:
    positions = f.arg(op, "positions")
    numbers = [f.number(op.attrs[key]) for key in ("length", "slope")]
    value = call("growing_sharpness", positions, *numbers, like=f.like)
    name = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
    f.assign(name, value, "(T, 1) or (B, 1, T, 1)", op)


def sharpen(f: Writer, op: Op) -> Any:
    x, factor = f.given(op, "x", "sharpness")
    return expression("(x * factor).type_as(x)", x=x, factor=factor)


ROWS: dict[str, Row] = {
    "sharpness": sharpness,
    "sharpen": sharpen,
    "position_ids": position_ids,
    "shift": shift,
    "sinusoid": sinusoid,
}
