"""Data of the call, where tokens stand, and what scores get from it."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Dim, Shape, T
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from ..sizes import Size
from .row import NORMAL, Attrs, Inputs, Row, broadcast, declared
from .saved import FREE, OUT, Kept, Own, Saving, keeps, view


def bucket_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("weight", (attrs["buckets"], attrs["heads"].size), NORMAL),)


def position_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Every content with every row of the positions, of which the places are then taken."""
    contents, positions = (values[op.arg(slot)].shape for slot in ("x", "positions"))
    return 2 * elements(contents) * elements(positions[-2:-1])


def rope_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    width: Size = attrs["width"]
    half = Dim("R/2", width // 2)
    return [(*inputs["positions"].shape, half)] * 2


def grid_rope_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(T, Dim("R/2", attrs["width"] // 2))] * 2


def position_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["x"].shape[:2], *inputs["places"].shape)]


# -- what the backward needs, and what is stored when no data but the ids is given


def counted_stores(s: Saving) -> tuple[str, Poly]:
    """Positions are the same for every sequence, unless its tokens decide."""
    shape = s.shape(OUT)
    return "int", elements(shape if s.op.attrs["rule"] == "tokens" else shape[-1:])


def angles_stores(s: Saving) -> tuple[str, Poly]:
    return "wide", s.storage("positions") * elements(s.shape(OUT)[-1:])


def grid_angles_stores(s: Saving) -> tuple[str, Poly]:
    return "wide", s.size(OUT)


def sharpness_stores(s: Saving) -> tuple[str, Poly]:
    return "wide", s.storage("positions")


def shift_stores(s: Saving) -> tuple[str, Poly]:
    return s.values[s.op.arg("x")].dtype, s.storage("x")


def masked_stores(s: Saving) -> tuple[str, Poly]:
    return "float", s.storage("bias")


def position_scores_saves(s: Saving) -> Iterator[Kept]:
    """Contents, positions once for each sequence, the scores of all positions, the places."""
    positions = s.shape("positions")
    yield from (s.own("x"), Own("float", Poly.of("B") * elements(positions)))
    yield from (Own("float", s.rows("x") * elements(positions[-2:-1])), "places")


def masked_saves(s: Saving) -> Iterator[Kept]:
    """The forbidden pairs."""
    if not s.values[s.op.arg("mask")].optional:
        yield Own("bool", s.storage("mask"))


def masked_view(s: Saving) -> tuple[str, ...]:
    """The bias itself where no mask is made."""
    return ("bias",) if s.values[s.op.arg("mask")].optional else ()


ROWS: dict[str, Row] = {
    # `start` and `end` number the new tokens among all tokens seen so far:
    # without a cache they are 0 and T.
    "argument": Row("an argument of forward", (), declared, attrs=("shape",), view=view(FREE)),
    "layer_input": Row(
        "the stream as it enters a layer: the input for the first one, then what the layer before "
        "it gave",
        ("x",),
        view=view("x"),
    ),
    "position_ids": Row(
        "the `position_ids` argument if given, else start..end; with rule `mask` or `tokens`: "
        "cumsum(m) * m - 1 with m = attention_mask, or m = (ids != pad). Inputs: position_ids "
        "argument, and for the two rules the mask or the ids. Then + offset",
        ("position_ids?", "data?"),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "rule", "pad", "stack"),
        stores=counted_stores,
    ),
    "sinusoid": Row(
        "sin and cos of position * 10000^(-i/d), d = width/2 or width/2 - 1, side by side "
        "(layout concat) or alternating (interleaved)",
        ("positions",),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "width", "layout", "denominator"),
    ),
    "rope_table": Row(
        "cos and sin of position * frequency_i, frequency_i = theta^(-2i/width), scaled: `scaling` "
        "has a type and its numbers (dynamic and longrope look at the greatest position too), and "
        "may multiply cos and sin",
        ("positions",),
        rope_shape,
        dtype="float",
        part="positions",
        attrs=("width", "theta", "scaling"),
        stores=angles_stores,
    ),
    "grid_rope_table": Row(
        "the same for the patches of a grid (rows, columns), row by row, behind `front` tokens "
        "with the angle 0: the first half of the frequencies, theta^(-4i/width), turn by the row, "
        "the others by the column; both are counted from 0, or, centred, 2 pi * ((2 i + 1)/n - 1)",
        (),
        grid_rope_shape,
        dtype="float",
        part="positions",
        attrs=("width", "theta", "grid", "front", "coordinates"),
        stores=grid_angles_stores,
    ),
    "rotate": Row(
        "inputs x, cos, sin: rotates pairs of the first `width` columns of each head by the angle "
        "of its position (with `end`, of those behind as many); pairs are (i, i + width/2) or, "
        "interleaved, (2i, 2i + 1)",
        ("x", "cos", "sin"),
        part="positions",
        attrs=("layout", "width", "partial", "end?"),
        saves=keeps("cos", "sin"),
    ),
    "sharpness": Row(
        "1 + slope * ln(1 + floor(position / length)), for each position",
        ("positions",),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "length", "slope"),
        stores=sharpness_stores,
    ),
    "sharpen": Row(
        "inputs x, sharpness: x * the number of its position",
        ("x", "sharpness"),
        part="positions",
        saves=keeps("sharpness"),
    ),
    "alibi": Row(
        "-slope_h * |query - key|, times `scale`",
        (),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "heads", "rule", "scale", "stack"),
    ),
    "grid_offsets": Row(
        "the row of a table for each pair of patches on a square grid: with n = 2 * grid - 1, "
        "(rows down from key to query + grid - 1) * n + (columns likewise); behind these n^2 "
        "rows, where tokens stand in `front`: one of them is the query, the key, both",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "grid", "front", "stack"),
    ),
    "relative_buckets": Row(
        "the bucket of key - query: T5's, half of them exact, half logarithmic up to "
        "max_distance; bidirectional: one half of the buckets for keys behind the query",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "buckets", "max_distance", "bidirectional", "stack"),
    ),
    "relative_bias": Row(
        "weight[bucket, h], as (H, T, S)",
        ("buckets",),
        declared,
        bucket_weights,
        dtype="float",
        part="positions",
        attrs=("shape", "heads", "buckets"),
        saves=keeps("buckets"),
    ),
    "relative_places": Row(
        "the row of a table of relative positions that belongs to query - key = d: clamp(d, -r, "
        "r - 1) + r. With rule `log`, r is `buckets` and d becomes its bucket first: d itself up "
        "to half of them, then sign(d) * (h + ceil((h - 1) * log(|d| / h) / log((max_distance - "
        "1) / h))) with h = buckets // 2; with rule `each`, r is `max_distance`, with `all` the "
        "number of tokens",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "rule", "buckets", "max_distance", "stack"),
    ),
    "relative_positions": Row(
        "every relative position in rising order, -n..n-1 of n tokens",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "stack"),
    ),
    "position_scores": Row(
        "inputs x (B, H, T or S, E), positions (H, U, E), places (T, S): x . positions[place], "
        "where x is that of the query or of the key (attr `side`)",
        ("x", "positions", "places"),
        position_shape,
        flops=position_flops,
        part="positions",
        attrs=("side",),
        saves=position_scores_saves,
    ),
    "masked_bias": Row(
        "inputs bias, mask: bias where the mask admits, else -inf",
        ("bias", "mask"),
        broadcast,
        saves=masked_saves,
        view=masked_view,
        stores=masked_stores,
    ),
    "shift": Row("x + amount", ("x",), attrs=("amount",), stores=shift_stores),
}
