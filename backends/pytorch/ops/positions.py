"""Positions and sinusoids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.graph import Op
from ....compiler.sizes import Size
from ..code.nodes import Dot, If, Name, Sequence, Set
from ..code.read import call, constant, expression, names
from ..writer import Writer
from .row import Row


def position_ids(f: Writer, op: Op) -> None:
    given, data, rule = op.arg("position_ids"), op.arg("data"), op.attrs["rule"]
    if not given:
        counted, note = COUNTINGS[rule](f, op, data)
        bound = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
        f.assign(bound, counted, note, op)
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
    places, turn = f.counted(), op.attrs["turn"]
    if turn > 1:  # interleaved inputs
        places = expression("places // turn", places=places, turn=constant(turn))
    return places, "(T,)"


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


def step_sinusoid(f: Writer, op: Op) -> Any:
    step = expression("torch.tensor([n + 1], device=x.device)", n=f.layer(), x=f.like)
    return _sinusoids(f, op, step, f.like)


def sinusoid(f: Writer, op: Op) -> Any:
    typed = op.attrs.get("typed")  # times may be integers
    like = Dot(f.own(op, typed), "weight") if typed else f.like
    return _sinusoids(f, op, f.arg(op, "positions"), like)


def _sinusoids(f: Writer, op: Op, positions: Any, like: Any) -> Any:
    width: Size = op.attrs["width"].size
    denominator = f.number(width // 2)
    if op.attrs["denominator"] == "half_minus_one":
        denominator = expression("half - 1", half=denominator)
    name = SINUSOIDS[op.attrs["layout"]]
    return call(name, positions, f.number(width), denominator, like=like)


SINUSOIDS = {
    "concat": "sinusoids",
    "interleaved": "sinusoid_pairs",
    "cosines_first": "cosines_and_sines",
}


GRID = "torch.cat([sinusoid(axis, width, denominator, like=like) for axis in axes], dim=-1)"


def grid_sinusoid(f: Writer, op: Op) -> Any:
    if op.attrs["widths"]:
        return _beside_front(f, op, _video_sinusoid(f, op))
    whole: Size = op.attrs["width"].size
    denominator = f.number(whole // 4)
    if op.attrs["denominator"] == "half_minus_one":
        denominator = expression("quarter - 1", quarter=denominator)
    bound = [f.bind(f"{op.outputs[0]} {axis}", axis) for axis in ("row", "column")]
    places = "grid_turns" if op.attrs["coordinates"] == "turn" else "grid_places"
    f.say(Set(names(*bound), call(places, *grid_of(f, op), like=f.like), "(G,) each"), op=op)
    axes = Sequence(tuple(Name(bound[AXES.index(axis)]) for axis in op.attrs["order"]), "()")
    given = {"sinusoid": Name(SINUSOIDS[op.attrs["layout"]]), "width": f.number(whole // 2)}
    table = expression(GRID, like=f.like, denominator=denominator, axes=axes, **given)
    return _beside_front(f, op, table)


def _beside_front(f: Writer, op: Op, table: Any) -> Any:
    """The positions of patches, after zeros for the tokens before them."""
    if int(op.attrs["front"]):
        return expression("F.pad(x, (0, 0, front, 0))", x=table, front=f.number(op.attrs["front"]))
    return table


AXES = ("row", "column")
VIDEO = (
    "torch.cat([sinusoid(place, width, denominator, like=like) for place, width in axes], dim=-1)"
)


def _video_sinusoid(f: Writer, op: Op) -> Any:
    """Sinusoids of frame, row and column, each of a width of its own."""
    widths = op.attrs["widths"]
    bound = {axis: f.bind(f"{op.outputs[0]} {axis}", axis) for axis in widths}
    grid = [f.number(size) for size in op.attrs["grid"]]
    places = call("video_places", *grid, like=f.like)
    f.say(Set(names(*bound.values()), places, "(G,) each"), op=op)
    pairs = [
        Sequence((Name(bound[axis]), f.number(widths[axis])), "()") for axis in op.attrs["order"]
    ]
    axes = Name(f.bind(f"{op.outputs[0]} axes", "axes"))
    f.say(Set(axes, Sequence(tuple(pairs), "[]")), op=op)
    half = expression("width // 2" if op.attrs["denominator"] == "half" else "width // 2 - 1")
    sinusoid = Name(SINUSOIDS[op.attrs["layout"]])
    return expression(VIDEO, like=f.like, axes=axes, denominator=half, sinusoid=sinusoid)


def grid_of(f: Writer, op: Op) -> list[Any]:
    """The numbers of rows and columns; of a square, one variable."""
    rows, columns = op.attrs["grid"]
    if rows is not columns and rows.code() != columns.code():
        return [f.number(rows), f.number(columns)]
    side = f.number(rows)
    if not isinstance(side, Dot):
        name = Name(f.bind(f"{op.outputs[0]} side", "side"))
        f.say(Set(name, side), op=op)
        side = name
    return [side, side]


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
    "step_sinusoid": step_sinusoid,
    "grid_sinusoid": grid_sinusoid,
}
