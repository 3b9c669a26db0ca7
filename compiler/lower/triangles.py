"""Sublayers that update a stream of pairs.

outer_product_mean        Jumper et al. 2021, supplementary information, algorithm 10
triangle_multiplication   the same, algorithms 11 and 12
"""

from __future__ import annotations

from typing import Any

from ...spec.sublayers import OuterProductMean, TriangleMultiplication
from ..axes import Dim
from .builder import Builder
from .norm import lower_norm
from .state import StackState

SOURCE = "Jumper et al. 2021, supplement, algorithm {}"


def lower_outer_product(b: Builder, state: StackState, part: OuterProductMean, x: str) -> str:
    """The mean over sequences of the products of two projections, (B, R, R, D)."""
    title = f"Outer product mean ({SOURCE.format(10)})."
    inner = Dim("F", b.size("hidden", part.hidden))
    with b.module(state.branch, noun="OuterProductMean", title=title):
        left, right = (_linear(b, x, name, inner, part) for name in ("left", "right"))
        y = b.op("outer_mean", b.rename(left, "left"), b.rename(right, "right"))
        return _linear(b, y, "output", state.width, part, residual=True)


def lower_triangle(b: Builder, state: StackState, part: TriangleMultiplication, x: str) -> str:
    """Each pair from the two other sides of all its triangles, (B, R, R, D)."""
    outgoing = part.direction == "outgoing"
    number = SOURCE.format(11 if outgoing else 12)
    title = f"Triangle multiplication, {part.direction} edges ({number})."
    inner = Dim("F", b.size("hidden", part.hidden))
    noun = f"{part.direction.title()}TriangleMultiplication"
    with b.module(state.branch, noun=noun, title=title):
        left, right = (_gated(b, x, name, inner, part) for name in ("left", "right"))
        y = b.op("triangle", left, right, outgoing=outgoing, out="y")
        y = lower_norm(b, part.norm, y, "product_norm")
        y = _linear(b, y, "output", state.width, part, residual=True)
        gate = _linear(b, x, "output_gate", state.width, part)
        return b.op("multiply", b.op("activation", gate, function="sigmoid", beta=None), y)


def _linear(b: Builder, x: str, name: str, out: Dim, part: Any, **more: Any) -> str:
    size = b.width(x).size
    return b.op("linear", x, name=name, in_features=size, out_dim=out, bias=bool(part.bias), **more)


def _gated(b: Builder, x: str, name: str, out: Dim, part: Any) -> str:
    """sigmoid(linear(x)) * linear(x)."""
    gate = b.op(
        "activation", _linear(b, x, f"{name}_gate", out, part), function="sigmoid", beta=None
    )
    return b.op("multiply", gate, _linear(b, x, name, out, part), out=name)
