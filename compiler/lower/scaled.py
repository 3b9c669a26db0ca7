"""Scaling of inputs."""

from __future__ import annotations

from ..axes import Dim
from .builder import Builder

SQRT_D_MODEL = "sqrt_d_model"


def lower_input_scale(b: Builder, scale: float | str, x: str, width: Dim) -> str:
    """`x` (B, T, W), multiplied by a number or by √d_model.

    W, the width of a factorised embedding, may differ from d_model.
    """
    if scale == SQRT_D_MODEL:
        return b.op("scale", x, factor=SQRT_D_MODEL, size=width.size, out="x")
    if scale == 1:
        return x
    factor = b.field("embedding_scale", float(scale), at=("scale",))
    return b.op("scale", x, factor=factor, out="x")
