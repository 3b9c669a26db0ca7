"""Norms: `layernorm`, `rmsnorm`, `none`.

Layer normalisation: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
RMS normalisation: Zhang, Sennrich 2019, arXiv:1910.07467.
"""

from __future__ import annotations

from typing import Any

from ...spec.norm import LayerNorm, RmsNorm
from ...spec.part import Nothing
from ..axes import Dim
from .builder import Builder
from .reads import peek, plain

Norm = LayerNorm | RmsNorm | Nothing


def has_norm(part: Any, option: str) -> Any:
    """An option that needs the part's `norm`; False, without reading it, if one is `none`."""
    if isinstance(plain(part), Nothing) or isinstance(peek(part, "norm"), Nothing):
        return False
    return getattr(part, option)


def lower_norm(
    b: Builder,
    norm: Norm | None,
    x: str,
    name: str,
    *,
    per_head: Dim | None = None,
    out: str = "",
    key: str = "norm",
    narrow: bool = False,
    affine: bool = True,
) -> str:
    """`x` normalised over its last axis; `x` itself for `none`. `key` is the key of the norm.

    With `narrow`, `x` may have a wider dtype than the weight; the result has the weight's. Without
    `affine`, weight and bias are left out.
    """
    assert norm is not None, "the levels fill in every norm"
    if isinstance(norm, Nothing):
        return x
    layer = isinstance(norm, LayerNorm)
    affine = affine and norm.affine
    bias = isinstance(norm, LayerNorm) and affine and norm.bias
    with b.at(key), b.within(name):
        return b.op(
            "layer_norm" if layer else "rms_norm",
            x,
            name=name,
            out=out,
            dim=b.width(x),
            eps=b.field("eps", norm.eps),
            affine=affine,
            bias=bias,
            weight_offset=norm.weight_offset if affine else 0,
            per_head=per_head if affine else None,
            **({"narrow": True} if narrow else {}),
        )
