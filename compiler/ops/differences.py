"""Differences of two attention maps: Ye et al. 2024, arXiv:2410.05258."""

from __future__ import annotations

from ..axes import Shape
from ..cost import Poly
from ..graph import Initial, Weight
from .row import Attrs, Inputs, Row, declared
from .saved import FREE, Own, keeps, view


def vector_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["dim"].size,), Initial("normal", attrs["std"])),)


def half_shapes(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, *rest = inputs["x"].shape
    return [(batch, attrs["heads"], *rest)] * 2


ROWS: dict[str, Row] = {
    "half_heads": Row(
        "the first and the second half of the heads, (B, 2*H, T, E) to twice (B, H, T, E)",
        ("x",),
        half_shapes,
        attrs=("heads",),
        view=view("x", "x"),
    ),
    "learned_vector": Row(
        "a learned vector (E,), which starts as normal numbers with standard deviation `std`",
        (),
        lambda inputs, attrs: [(attrs["dim"],)],
        vector_weights,
        dtype="float",
        part="attention",
        attrs=("dim", "std"),
        view=view(FREE),
    ),
    "difference_share": Row(
        "exp(query1 . key1) - exp(query2 . key2) + lambda_init of the layer, a number",
        ("query1", "key1", "query2", "key2"),
        declared,
        part="attention",
        attrs=("shape",),
        uses_layer=True,
        saves=lambda s: [Own("float", Poly.of(2))],  # both exponentials
    ),
    "remaining_share": Row("x * (1 - lambda_init of the layer)", ("x",), uses_layer=True),
    "subtract": Row("a - share * b", ("a", "b", "share"), saves=keeps("b", "share")),
}
