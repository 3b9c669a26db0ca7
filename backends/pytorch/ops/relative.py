"""Scores that depend on how far a key is from its query."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, CHOICE, Expr
from .row import Row, call


def alibi(f: Function, op: Op) -> Expr:
    name = "alibi_bias_ceil" if op.attrs["rule"] == "ceil" else "alibi_bias"
    heads = f.number(op.attrs["heads"].size)
    scale = op.attrs["scale"]
    factor = "1.0" if scale is None else f.number(scale)
    helper = f.helper("positions", name)
    return call(helper, f.new_places(op), f.end(), heads, factor, f"like={f.like}")


def relative_buckets(f: Function, op: Op) -> Expr:
    if f.holds.get("distance") != "key - query":  # another table may have asked for it
        place = f.new_places(op)
        keys = f"torch.arange({f.end()}, device={f.like}.device)" if f.cached else place
        f.say(f"distance = {keys} - {place}[:, None]", f.comment(*op.outputs), op.number)
        f.holds["distance"] = "key - query"
    sizes = [f.number(op.attrs[key]) for key in ("buckets", "max_distance")]
    if op.attrs["bidirectional"]:
        return call(f.helper("positions", "two_sided_buckets"), "distance", *sizes)
    return call(f.helper("positions", "log_buckets"), "-distance.clamp(max=0)", *sizes)


def grid_offsets(f: Function, op: Op) -> Expr:
    name = "grid_offsets_behind" if int(op.attrs["front"]) else "grid_offsets"
    sizes = [f.number(op.attrs["grid"])]
    sizes += [f.number(op.attrs["front"])] if int(op.attrs["front"]) else []
    return call(f.helper("positions", name), *sizes, f"{f.like}.device")


def relative_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.own(op)}({f.use(op.inputs[0])}).permute(2, 0, 1)")


def relative_positions(f: Function, op: Op) -> Expr:
    end = f.end()
    return call("torch.arange", f"-{end}", end, f"device={f.like}.device")


def relative_places(f: Function, op: Op) -> Expr:
    log = op.attrs["rule"] == "log"
    sizes = [op.attrs["buckets"], op.attrs["max_distance"]] if log else [op.attrs["max_distance"]]
    helper = f.helper("positions", "relative_log_places" if log else "relative_places")
    numbers = [f.end()] if op.attrs["rule"] == "all" else [f.number(size) for size in sizes]
    return call(helper, f.new_places(op), f.end(), *numbers)


def position_scores(f: Function, op: Op) -> Expr:
    names = {"query": "content_to_position", "key": "position_to_content"}
    helper = f.helper("positions", names[op.attrs["side"]])
    return call(helper, *(str(f.use(value)) for value in op.inputs))


def masked_bias(f: Function, op: Op) -> Expr:
    bias, mask = f.use(op.inputs[0]), f.use(op.inputs[1])
    masked = f"{bias.at(ATOM)}.masked_fill(~{mask.at(ATOM)}, -math.inf)"
    if f.graph.values[op.inputs[1]].optional:
        return Expr(f"{bias} if {mask} is None else {masked}", CHOICE)
    return Expr(masked)


ROWS: dict[str, Row] = {
    "alibi": alibi,
    "relative_buckets": relative_buckets,
    "grid_offsets": grid_offsets,
    "relative_bias": relative_bias,
    "relative_positions": relative_positions,
    "relative_places": relative_places,
    "position_scores": position_scores,
    "masked_bias": masked_bias,
}
