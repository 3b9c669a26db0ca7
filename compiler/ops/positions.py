"""Arguments, positions, and position scores."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Dim, Shape, T
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from ..sizes import Size
from .row import NORMAL, Attrs, Inputs, Row, broadcast, declared
from .saved import FREE, OUT, Kept, Own, Saving, keeps, operand, view


def bucket_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("weight", (attrs["buckets"], attrs["heads"].size), NORMAL),)


def position_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of the products of all contents with all relative positions, before indexing."""
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


# -- tensors saved for the backward pass, and storage without optional arguments


def counted_stores(s: Saving) -> tuple[str, Poly]:
    """Positions are the same for all sequences, unless they depend on token ids."""
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
    if s.tiles is not None:
        return "float", elements(s.shape("bias")[:1]) * s.tiles.biased
    return "float", s.storage("bias")


def position_scores_saves(s: Saving) -> Iterator[Kept]:
    """Contents, positions repeated for each sequence, scores of all positions, and indices."""
    positions = s.shape("positions")
    yield operand(s, "x")
    if len(positions) > 2:
        yield Own("float", Poly.of("B") * elements(positions))
    yield from (Own("float", s.rows("x") * elements(positions[-2:-1])), "places")


def bucket_saves(s: Saving) -> Iterator[Kept]:
    """The buckets of all pairs; with tiles, each table makes its own, the same for all heads."""
    if not s.op.attrs.get("tiles"):
        yield "buckets"
    else:
        yield s.own("buckets", "int") if s.tiles is None else Own("int", Poly.of(s.tiles.biased))


def masked_saves(s: Saving) -> Iterator[Kept]:
    """The mask of excluded pairs."""
    if s.op.attrs.get("tiles"):
        return
    if not s.values[s.op.arg("mask")].optional:
        yield Own("bool", s.storage("mask"))


def masked_view(s: Saving) -> tuple[str, ...]:
    """The bias itself, if there is no mask."""
    return ("bias",) if s.values[s.op.arg("mask")].optional else ()


ROWS: dict[str, Row] = {
    # `start` and `end` number the new tokens among all tokens seen so far:
    # without a cache they are 0 and T.
    "argument": Row("an argument of forward", (), declared, attrs=("shape",), view=view(FREE)),
    "layer_input": Row(
        "the input of a layer: that of the stack for the first layer, else the output of the "
        "previous layer",
        ("x",),
        view=view("x"),
    ),
    "position_ids": Row(
        "the argument `position_ids` if given, else start..end, `turn` tokens with each position; "
        "with rule `mask` or `tokens`: "
        "cumsum(m) * m - 1 with m = attention_mask or m = (ids != pad). Then `offset` is "
        "added. Inputs: the argument, and for the two rules the mask or the ids",
        ("position_ids?", "data?"),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "rule", "pad", "stack", "turn"),
        stores=counted_stores,
    ),
    "sinusoid": Row(
        "sin and cos of position * 10000^(-i/d) with d = width/2 or width/2 - 1, concatenated "
        "(layout concat; cosines_first: the other way round) or alternating (interleaved); "
        "in the dtype of the linear layer `typed` of the same module, if there is one",
        ("positions",),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "width", "layout", "denominator", "typed?"),
    ),
    "step_sinusoid": Row(
        "the same of the layer's number, counted from 1",
        (),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "width", "layout", "denominator"),
        uses_layer=True,
    ),
    "grid_sinusoid": Row(
        "the sinusoids of the patches of a grid (rows, columns) in row-major order, after `front` "
        "tokens with zeros: half of the width for each axis, in this `order`, with the index of "
        "the row or column as position, or with `coordinates: turn` 2 pi (i + 1)/(n + 1e-6) for "
        "index i of n; `layout` and `denominator` as for sinusoid, in each half. A grid (frames, "
        "rows, columns) has a number of features (`widths`) for each axis",
        (),
        declared,
        dtype="float",
        part="positions",
        attrs=(
            *("shape", "width", "widths", "grid", "front", "order"),
            *("layout", "denominator", "coordinates"),
        ),
    ),
    "rope_table": Row(
        "cos and sin of position * frequency_i with frequency_i = theta^(-2i/width). "
        "`scaling` has a type and its numbers, and may multiply cos and sin; dynamic and "
        "longrope also depend on the largest position",
        ("positions",),
        rope_shape,
        dtype="float",
        part="positions",
        attrs=("width", "theta", "scaling"),
        stores=angles_stores,
    ),
    "grid_rope_table": Row(
        "the same for a grid of patches (rows, columns) in row-major order, after `front` "
        "tokens with angle 0. The first half of the frequencies, theta^(-4i/width), is "
        "multiplied by the row, the other half by the column; both are indices, or with "
        "`centred` 2 pi * ((2 i + 1)/n - 1). For a grid (frames, rows, columns), width / 2 pairs "
        "of each of the `widths` have the frequencies theta^(-2i/width) times its index",
        (),
        grid_rope_shape,
        dtype="float",
        part="positions",
        attrs=("width", "widths", "theta", "grid", "front", "coordinates"),
        stores=grid_angles_stores,
    ),
    "rotate": Row(
        "inputs x, cos, sin: rotates pairs of the first `width` features of each head (with "
        "`end`, the last ones) by the angle of the position; pairs are (i, i + width/2) or, "
        "interleaved, (2i, 2i + 1)",
        ("x", "cos", "sin"),
        part="positions",
        attrs=("layout", "width", "partial", "end?"),
        saves=keeps("cos", "sin"),
    ),
    "sharpness": Row(
        "1 + slope * ln(1 + floor(position / length)) for each position",
        ("positions",),
        declared,
        dtype="float",
        part="positions",
        attrs=("shape", "length", "slope"),
        stores=sharpness_stores,
    ),
    "sharpen": Row(
        "inputs x, sharpness: x times the factor of its position",
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
        attrs=("shape", "heads", "rule", "scale", "stack", "flex?"),
    ),
    "grid_offsets": Row(
        "the row of a table for each pair of patches on a square grid: with n = 2 * grid - 1, "
        "(rows from key to query + grid - 1) * n + (columns likewise). Three more rows are "
        "for pairs with one of the `front` tokens: as query, as key, as both. With a grid (frames, "
        "rows, columns), there is a row for each offset of these, in row-major order",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "grid", "front", "stack"),
    ),
    "relative_buckets": Row(
        "T5's bucket of key - query: half of the buckets hold one distance, half grow "
        "logarithmically up to max_distance; with `bidirectional`, half of the buckets are "
        "for keys after the query",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "buckets", "max_distance", "bidirectional", "stack"),
    ),
    "relative_bias": Row(
        "weight[bucket, h], as (H, T, S); with `tiles`, masked_bias applies it to tiles",
        ("buckets?",),
        declared,
        bucket_weights,
        dtype="float",
        part="positions",
        attrs=("shape", "heads", "buckets", "tiles?"),
        saves=bucket_saves,
    ),
    "relative_places": Row(
        "the row of a table of relative positions for d = query - key: clamp(d, -r, r - 1) + "
        "r. With rule `log`, r is `buckets`, and d is first replaced by d if |d| <= h, else "
        "sign(d) * (h + ceil((h - 1) * log(|d| / h) / log((max_distance - 1) / h))), with h = "
        "buckets // 2. With rule `each`, r is `max_distance`; with `all`, r is the number of "
        "tokens. With rule `pair`, it is clamp(-d, -r, r) + r",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "rule", "buckets", "max_distance", "stack"),
    ),
    "relative_positions": Row(
        "all relative positions in ascending order, -n..n-1 for n tokens",
        (),
        declared,
        dtype="int",
        part="positions",
        attrs=("shape", "stack"),
    ),
    "position_scores": Row(
        "inputs x (B, H, T or S, E), positions (H, U, E) or (U, E), places (T, S): x . "
        "positions[place], where x is that of the query or of the key (attr `side`)",
        ("x", "positions", "places"),
        position_shape,
        flops=position_flops,
        part="positions",
        attrs=("side",),
        saves=position_scores_saves,
    ),
    "masked_bias": Row(
        "inputs bias, mask: bias where the mask is True, else -inf",
        ("bias", "mask"),
        broadcast,
        attrs=("tiles?", "distance?"),
        saves=masked_saves,
        view=masked_view,
        stores=masked_stores,
    ),
    "shift": Row("x + amount", ("x",), attrs=("amount",), stores=shift_stores),
}
