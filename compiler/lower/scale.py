"""The attention scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...spec.positions import Disentangled
from ..axes import Dim
from ..sizes import Field, Formula, InverseRoot, Term
from .builder import Builder
from .rotary import YARN, score_growth


def lower_scale(
    b: Builder, scale: float | str | None, head: Dim, positions: Iterable[Any] = ()
) -> Field | float | None:
    """The scale of the scores; None is 1/sqrt(head_dim). `scale` is the value in the spec.

    `by_layer` is a separate op. YaRN's `mscale_all_dims` multiplies the scale; disentangled
    positions change the default because they add terms.
    """
    positions = tuple(positions)
    scale = None if scale == "by_layer" else scale
    times = 1 + sum(len(p.terms) for p in positions if isinstance(p, Disentangled))
    assert head.size is not None
    growth = score_growth(b, positions)
    if growth is not None:
        return _grown(b, scale, InverseRoot.of(times, head.size), *growth)
    if scale is None:
        return InverseRoot.of(times, head.size) if times > 1 else None
    return 1.0 if scale == "none" else b.field("scale", float(scale))


def _grown(
    b: Builder, scale: float | str | None, root: InverseRoot, growth: float, term: Term
) -> Field:
    """The scale times the square of what YaRN lets the scores grow by."""
    square, plain = ("**", "growth", 2), 1.0
    if scale is None:
        plain, width = root, root.width.tree
        inner = width if root.times == 1 else ("*", root.times, width)
        result: Term = ("*", ("**", inner, -0.5), square)
    elif scale == "none":
        result = square
    else:
        plain = float(scale)
        result = ("*", b.field("plain_scale", plain, at=("scale",)), square)
    title = f"The attention scale, with YaRN's factor ({YARN})."
    return b.derived("scale", plain * growth**2, Formula(title, (("growth", term),), result))
