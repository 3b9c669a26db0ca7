"""What the vectors of an input are multiplied by."""

from __future__ import annotations

from .builder import Builder

SQRT_D_MODEL = "sqrt_d_model"


def lower_input_scale(b: Builder, scale: float | str, x: str) -> str:
    """`x` (B, T, D), scaled as the spec says: by a number, or by the root of its width."""
    if scale == SQRT_D_MODEL:
        return b.op("scale", x, factor=SQRT_D_MODEL, size=b.width(x).size, out="x")
    if scale == 1:
        return x
    factor = b.field("embedding_scale", float(scale))
    return b.op("scale", x, factor=factor, out="x")
