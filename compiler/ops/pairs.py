"""Values of pairs of tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Shape, T
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from .row import NORMAL, Attrs, Inputs, Row
from .saved import Kept, Own, Saving, keeps


def pair_table_weights(attrs: Attrs) -> tuple[Weight, ...]:
    rows = attrs["entries"] + 1 if int(attrs["front"]) else attrs["entries"]
    return (Weight("weight", (rows, attrs["heads"].size), NORMAL),)


def bias_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs.first.shape[0], attrs["heads"], T, T)]


def path_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["edges"], attrs["width"].size, attrs["heads"].size)
    return (Weight("", shape, NORMAL),)


def path_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * elements(values[op.arg("vectors")].shape) * elements((op.attrs["heads"],))


def path_saves(s: Saving) -> Iterator[Kept]:
    """The vectors without those after the end, which places have an edge, and their number."""
    yield Own("float", s.size("vectors"))
    yield Own("bool", elements(s.shape("edges")))
    yield Own("int", elements(s.shape("edges")[:-1]))


ROWS: dict[str, Row] = {
    "pair_bias": Row(
        "weight[ids] of each query and key, as (B, H, T, T). With `front` tokens before those "
        "of the ids, pairs with one of them have the row after the `entries` of ids",
        ("ids",),
        bias_shape,
        pair_table_weights,
        dtype="float",
        part="attention",
        attrs=("entries", "heads", "front"),
        saves=keeps("ids"),
    ),
    "path_bias": Row(
        "inputs vectors (B, T, T, N, W) of the edges of a path, edges (B, T, T, N): the mean of "
        "vectors[n] . weight[n, :, h] over the places n whose edge is not 0, as (B, H, T, T); 0 "
        "without edges, and for pairs with one of the `front` tokens",
        ("vectors", "edges"),
        bias_shape,
        path_weights,
        path_flops,
        dtype="float",
        part="attention",
        attrs=("edges", "width", "heads", "front"),
        saves=path_saves,
    ),
}
