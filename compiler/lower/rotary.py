"""Rotary positions and RoPE scaling.

rotary    Su et al. 2021, arXiv:2104.09864
linear    Chen et al. 2023, arXiv:2306.15595
llama3    Llama Team 2024, arXiv:2407.21783
yarn      Peng et al. 2023, arXiv:2309.00071
longrope  Ding et al. 2024, arXiv:2402.13753
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from ...spec.part import Nothing
from ...spec.positions import LongRope, Rotary, Yarn
from ..axes import Dim
from ..sizes import Field, Size
from .builder import Builder
from .positions import token_positions
from .state import StackState

MOST_PARTS = 4096
"""Maximum denominator of a rotated fraction."""


def lower_rotary(
    b: Builder, state: StackState, position: Rotary, head_dim: Dim
) -> tuple[str, str, Size]:
    """The (cos, sin) table, and the number of rotated features per head."""
    assert head_dim.size is not None
    width = head_dim.size
    if position.fraction != 1:
        share = Fraction(position.fraction).limit_denominator(MOST_PARTS)
        width = share.numerator * width // share.denominator
    theta = b.field("rope_theta", float(position.theta))
    if position.axes == 2:
        assert state.grid is not None, "refused by the laws"
        cos, sin = b.ops(
            "grid_rope_table",
            out=("cos", "sin"),
            width=width,
            theta=theta,
            grid=state.grid,
            front=(state.front or Size.of(0)) + state.registers,
            coordinates=position.coordinates,
        )
        return cos, sin, width
    positions = token_positions(b, state)
    cos, sin = b.ops(
        "rope_table",
        positions,
        out=("cos", "sin"),
        width=width,
        theta=theta,
        scaling=_scaling(b, state, position, theta),
    )
    return cos, sin, width


def _scaling(
    b: Builder, state: StackState, position: Rotary, theta: Field
) -> dict[str, Any] | None:
    """The numbers of a scaling, and `attention_factor`, which multiplies cos and sin."""
    scaling = position.scaling
    if isinstance(scaling, Nothing):
        return None
    found: dict[str, Any] = {"type": scaling.type}
    for key in scaling.__class__.model_fields:
        value = getattr(scaling, key)
        if key not in ("type", "truncate") and value is not None:
            found[key] = b.field(f"rope_{key}", _plain(value))
    if isinstance(scaling, Yarn):
        found |= {"truncate": scaling.truncate, "theta": theta}
        growth, rule = _yarn_growth(scaling.factor, scaling.mscale)
        if scaling.mscale_all_dims:
            less, divisor = _yarn_growth(scaling.factor, scaling.mscale_all_dims)
            growth, rule = growth / less, f"{rule} over {divisor}"
    elif isinstance(scaling, LongRope) and scaling.short_mscale is None:
        found["max_positions"] = int(state.stack.max_positions or 0)
        growth, rule = _longrope_growth(found["max_positions"], scaling.original_max_positions)
    else:
        return found
    if growth != 1:
        found["attention_factor"] = b.field("rope_attention_factor", growth, comment=rule)
    return found


def _plain(value: Any) -> Any:
    """Divisors as floats."""
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else value


def _yarn_growth(factor: float, mscale: float) -> tuple[float, str]:
    """YaRN's attention factor and its formula (Peng et al. 2023, eq. 22)."""
    growth = 0.1 * mscale * math.log(factor) + 1 if factor > 1 else 1.0
    return growth, f"0.1 * {mscale:g} * ln({factor:g}) + 1"


def _longrope_growth(length: int, original: int) -> tuple[float, str]:
    """LongRoPE's attention factor and its formula (Ding et al. 2024)."""
    longer = length / original
    growth = math.sqrt(1 + math.log(longer) / math.log(original)) if longer > 1 else 1.0
    return growth, f"sqrt(1 + ln({longer:g}) / ln({original}))"


def score_growth(positions: Iterable[Any]) -> tuple[float, str]:
    """The factor of all scores from YaRN's `mscale_all_dims`, and its formula."""
    for position in positions:
        scaling = getattr(position, "scaling", None)
        if isinstance(scaling, Yarn):
            growth, rule = _yarn_growth(scaling.factor, scaling.mscale_all_dims)
            return growth**2, f"({rule})**2"
    return 1.0, ""
