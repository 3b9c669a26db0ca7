"""Values of pairs of tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import ONE, Shape, T
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from .row import NORMAL, Attrs, Inputs, Row
from .saved import OUT, Kept, Own, Saving, keeps, view


def pair_table_weights(attrs: Attrs) -> tuple[Weight, ...]:
    rows = attrs["entries"] + 1 if int(attrs["front"]) else attrs["entries"]
    return (Weight("weight", (rows, attrs["heads"].size), NORMAL),)


def bias_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs.first.shape[0], attrs["heads"], T, T)]


def pair_bias_saves(s: Saving) -> Iterator[Kept]:
    """The ids, or a copy with those of the tokens in front."""
    batch, _, *pairs = s.shape(OUT)
    yield Own("int", elements((batch, *pairs))) if int(s.op.attrs["front"]) else "ids"


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


def swapped_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, first, second, *rest = inputs["x"].shape
    return [(batch, second, first, *rest)]


def scores_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, first, second, heads = inputs["x"].shape
    pairs = (second, first) if attrs["transposed"] else (first, second)
    return [(batch, ONE, heads, *pairs)]


def mean_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, length, width = inputs["left"].shape
    return [(batch, length, length, width * width)]


def mean_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * elements(values[op.outputs[0]].shape) * elements(values[op.arg("left")].shape[1:2])


def triangle_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * elements(values[op.outputs[0]].shape) * elements(values[op.arg("left")].shape[1:2])


def triangle_saves(s: Saving) -> Iterator[Kept]:
    """Copies of both factors, whose last axis is moved to the front."""
    yield from (s.own("left"), s.own("right"))


ROWS: dict[str, Row] = {
    "swap_streams": Row(
        "(B, first, second, ...) to (B, second, first, ...)",
        ("x",),
        swapped_shape,
        view=view("x"),
    ),
    "pair_scores": Row(
        "(B, q, k, H) to (B, 1, H, q, k); with `transposed`, (B, k, q, H)",
        ("x",),
        scores_shape,
        part="attention",
        attrs=("transposed",),
        view=view("x"),
    ),
    "outer_mean": Row(
        "inputs left, right (B, S, R, F): the mean over S of left[s, i, :] x right[s, j, :], as "
        "(B, R, R, F*F), the factor of the left first",
        ("left", "right"),
        mean_shape,
        flops=mean_flops,
        saves=keeps("left", "right"),
    ),
    "triangle": Row(
        "inputs left, right (B, R, R, F): the sum over k of left[i, k] * right[j, k], or without "
        "`outgoing` left[k, i] * right[k, j]",
        ("left", "right"),
        flops=triangle_flops,
        attrs=("outgoing",),
        saves=triangle_saves,
    ),
    "pair_bias": Row(
        "weight[ids] of each query and key, as (B, H, T, T). With `front` tokens before those "
        "of the ids, pairs with one of them have the row after the `entries` of ids",
        ("ids",),
        bias_shape,
        pair_table_weights,
        dtype="float",
        part="attention",
        attrs=("entries", "heads", "front"),
        saves=pair_bias_saves,
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
