"""Scores that depend on the distance between query and key."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Name
from ..code.read import call, constant, expression
from ..code.walk import written_for
from ..writer import Writer
from .flex import slopes
from .row import Row


def alibi(f: Writer, op: Op) -> Any:
    if op.attrs.get("flex"):
        return slopes(f, op)
    name = "alibi_bias_ceil" if op.attrs["rule"] == "ceil" else "alibi_bias"
    heads, scale = f.number(op.attrs["heads"].size), op.attrs["scale"]
    factor = constant(1.0) if scale is None else f.number(scale)
    return call(name, f.new_places(op), f.end(), heads, factor, like=f.like)


AFTER = "the other half is for keys after the query"


def relative_buckets(f: Writer, op: Op) -> Any:
    if f.holds.get("distance") != "key - query":  # another table may have defined it already
        place = f.new_places(op)
        keys = place
        if f.cached:
            keys = expression("torch.arange(end, device=x.device)", end=f.end(), x=f.like)
        value = expression("keys - positions[:, None]", keys=keys, positions=place)
        f.assign("distance", value, f.note(*op.outputs), op)
        f.holds["distance"] = "key - query"
    sizes = [f.number(op.attrs[key]) for key in ("buckets", "max_distance")]
    if not op.attrs["bidirectional"]:
        return call("log_buckets", expression("-distance.clamp(max=0)"), *sizes)
    f.assign("half", expression("buckets // 2", buckets=sizes[0]), "", op)
    exact = expression("log_buckets(distance.abs(), half, most)", most=sizes[1])
    name = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
    f.assign(name, exact, f.note(*op.outputs), op)
    f.assign(name, expression("found + half * (distance > 0)", found=Name(name)), AFTER, op)
    return None


def grid_offsets(f: Writer, op: Op) -> Any:
    grid, front = op.attrs["grid"], op.attrs["front"]
    video = isinstance(grid, tuple)
    name = ("video_offsets" if video else "grid_offsets") + "_behind" * bool(int(front))
    sizes = [f.number(size) for size in (grid if video else (grid,))]
    sizes += [f.number(front)] if int(front) else []
    return call(name, *sizes, expression("like.device", like=f.like))


def relative_bias(f: Writer, op: Op) -> Any:
    if op.attrs.get("tiles"):
        f.names[op.outputs[0]] = f.own(op)  # `biased_tiles` reads the table
        return None
    return expression("bias(x).permute(2, 0, 1)", bias=f.own(op), x=f.arg(op, "buckets"))


def relative_positions(f: Writer, op: Op) -> Any:
    return expression("torch.arange(-end, end, device=like.device)", end=f.end(), like=f.like)


def relative_places(f: Writer, op: Op) -> Any:
    if op.attrs["rule"] == "pair":
        most = f.number(op.attrs["max_distance"])
        return call("clipped_places", f.new_places(op), f.end(), most)
    log = op.attrs["rule"] == "log"
    sizes = [op.attrs["buckets"], op.attrs["max_distance"]] if log else [op.attrs["max_distance"]]
    numbers = [f.end()] if op.attrs["rule"] == "all" else [f.number(size) for size in sizes]
    name = "relative_log_places" if log else "relative_places"
    return call(name, f.new_places(op), f.end(), *numbers)


def position_scores(f: Writer, op: Op) -> Any:
    if len(f.graph.values[op.arg("positions")].shape) == 2:
        return call("scores_of_places", *f.given(op, "x", "positions", "places"))
    names = {"query": "content_to_position", "key": "position_to_content"}
    return call(names[op.attrs["side"]], *f.given(op, "x", "positions", "places"))


def biased_tiles(f: Writer, op: Op) -> None:
    """The tiles of a mask, with a bias of the distance added to their masks."""
    of = op.attrs["distance"]
    bias = written_for(OF_DISTANCE[of["kind"]](f, op, of), of["op"])
    like, start, end = f.like, None, None
    if f.graph.layers_of(op.scope) is None:
        start, end = f.first_place(op), f.end()
    else:  # each layer has a table
        (attend,) = f.graph.consumers(op.outputs[0])
        like, k = f.use(_written(f, attend.arg("q"))), f.use(attend.arg("k"))
        end = expression("k.size(2)", k=k)
        start = expression("k.size(2) - q.size(2)", k=k, q=like)
    given = [f.arg(op, "mask"), start, end]
    device = expression("like.device", like=like)
    value = f.graph.values[op.outputs[0]]
    name = f.bind(value.id, value.name)
    f.assign(name, call("tiles_with_bias", *given, device, bias), "", op)


def _written(f: Writer, value: str) -> str:
    """The queries, or those that are scaled only after their bias is computed."""
    while value not in f.names and value not in f.waiting:
        made = f.graph.producer(value)
        assert made is not None
        value = made.arg("x")
    return value


def partial_alibi(f: Writer, op: Op, of: dict[str, Any]) -> Any:
    """The bias of ALiBi as a function of positions and the number of keys."""
    name = "alibi_bias_ceil" if of["rule"] == "ceil" else "alibi_bias"
    heads, scale = f.number(of["heads"].size), of["scale"]
    factor = constant(1.0) if scale is None else f.number(scale)
    return expression(
        "partial(alibi, heads=heads, scale=factor, like=like)",
        alibi=Name(name),
        heads=heads,
        factor=factor,
        like=f.like,
    )


def partial_buckets(f: Writer, op: Op, of: dict[str, Any]) -> Any:
    """The same for a learned bias of buckets."""
    name = "bucket_bias" if of["bidirectional"] else "causal_bucket_bias"
    made = f.graph.producer(op.arg("bias"))
    assert made is not None
    found = expression(
        "partial(bias, table=table, max_distance=most)",
        bias=Name(name),
        table=f.own(made),
        most=f.number(of["max_distance"]),
    )
    return written_for(found, made.number)


OF_DISTANCE = {"alibi": partial_alibi, "relative_buckets": partial_buckets}


def masked_bias(f: Writer, op: Op) -> Any:
    if op.attrs.get("tiles"):
        biased_tiles(f, op)
        return None
    bias, mask = f.given(op, "bias", "mask")
    masked = expression("bias.masked_fill(~mask, -torch.inf)", bias=bias, mask=mask)
    if f.graph.values[op.arg("mask")].optional:
        parts = {"bias": bias, "mask": mask, "masked": masked}
        return expression("bias if mask is None else masked", **parts)
    return masked


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
