"""The attention scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...spec.positions import Disentangled
from ..axes import Dim
from ..sizes import Field, InverseRoot
from .builder import Builder
from .rotary import score_growth


def lower_scale(
    b: Builder, said: float | str | None, head: Dim, positions: Iterable[Any] = ()
) -> Field | float | None:
    """The scale of the scores; None is 1/sqrt(head_dim). `said` is the value of the spec.

    `by_layer` is a separate op. YaRN's `mscale_all_dims` multiplies the scale; disentangled
    positions change the default because they add terms.
    """
    positions = tuple(positions)
    said = None if said == "by_layer" else said
    terms = sum(len(p.terms) for p in positions if isinstance(p, Disentangled))
    growth, rule = score_growth(positions)
    assert head.size is not None
    if growth == 1:
        if said is None:
            return InverseRoot.of(1 + terms, head.size) if terms else None
        return 1.0 if said == "none" else b.field("scale", float(said))
    width = (1 + terms) * int(head.size)
    plain = width**-0.5 if said is None else 1.0 if said == "none" else float(said)
    first = f"{width}**-0.5" if said is None else f"{plain:g}"
    return b.field("scale", plain * growth, comment=f"{first} * {rule}")
