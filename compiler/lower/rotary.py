"""Rotary positions and RoPE scaling.

rotary    Su et al. 2021, arXiv:2104.09864
linear    Chen et al. 2023, arXiv:2306.15595
llama3    Grattafiori et al. 2024, arXiv:2407.21783
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
from ..sizes import Field, Formula, Size, Term, number
from .builder import Builder
from .positions import axis_widths, token_positions
from .state import StackState

YARN = "Peng et al. 2023, arXiv:2309.00071"
LONGROPE = "Ding et al. 2024, arXiv:2402.13753"
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
    theta = b.field("rope_theta", float(position.theta), at=("theta",))
    if position.axes > 1:
        assert state.grid is not None, "refused by the laws"
        cos, sin = b.ops(
            "grid_rope_table",
            out=("cos", "sin"),
            width=width,
            theta=theta,
            grid=state.grid,
            front=(state.front or Size.of(0)) + state.registers,
            coordinates=position.coordinates,
            widths=axis_widths(b, position, width, "rope"),
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
            whole = key == "original_max_positions"
            request = b.size if whole else b.field
            found[key] = request(f"rope_{key}", _plain(value), at=("scaling", key))
    if isinstance(scaling, Yarn):
        found |= {"truncate": scaling.truncate, "theta": theta}
        growth = _yarn_growth(found["factor"], scaling.mscale, scaling.mscale_all_dims)
    elif isinstance(scaling, LongRope) and scaling.short_mscale is None:
        length = _longest(b, state)
        found["max_positions"] = int(length)
        growth = _longrope_growth(length, found["original_max_positions"])
    else:
        return found
    if growth is not None:
        found["attention_factor"] = b.derived("rope_attention_factor", *growth)
    return found


def _longest(b: Builder, state: StackState) -> Size:
    """`max_positions` of the stack; where nothing else reads it, it limits nothing."""
    length = b.size("max_positions", state.stack.max_positions or 0)
    for field in length.fields():
        field.origin = b.origin[:2]
    return length


def _plain(value: Any) -> Any:
    """Divisors as floats."""
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else value


def _yarn_mscale(factor: Field, mscale: float) -> tuple[float, Term]:
    """m(s) = 0.1 s ln(factor) + 1 of YaRN, and how the file computes it."""
    value = 0.1 * mscale * math.log(max(number(factor), 1)) + 1
    tenth: Term = 0.1 if mscale == 1 else ("*", 0.1, mscale)
    return value, ("+", ("*", tenth, ("math.log", ("max", factor, 1))), 1)


def _yarn_growth(factor: Field, more: float, less: float) -> tuple[float, Formula] | None:
    """YaRN's attention factor m(more) / m(less) and its formula; None if it is always 1."""
    if more == less:
        return None
    value, term = _yarn_mscale(factor, more)
    if not less:
        return value, Formula(f"How much rotated vectors grow ({YARN}).", (), term)
    divisor, below = _yarn_mscale(factor, less)
    steps = (("grown", term),) if more else ()
    result = ("/", "grown" if more else 1, "scores")
    title = f"How much rotated vectors grow, beyond scores ({YARN})."
    return value / divisor, Formula(title, (*steps, ("scores", below)), result)


def _longrope_growth(length: Size, original: Size) -> tuple[float, Formula]:
    """LongRoPE's attention factor and its formula (Ding et al. 2024)."""
    longer = max(int(length) / int(original), 1)
    value = math.sqrt(1 + math.log(longer) / math.log(int(original)))
    steps = (("longer", ("max", ("/", length.tree, original.tree), 1)),)
    inner = ("+", 1, ("/", ("math.log", "longer"), ("math.log", original.tree)))
    title = f"How much rotated vectors grow ({LONGROPE})."
    return value, Formula(title, steps, ("math.sqrt", inner))


def score_growth(b: Builder, positions: Iterable[Any]) -> tuple[float, Term] | None:
    """YaRN's m(mscale_all_dims), whose square multiplies all scores, and how it is computed."""
    for index, position in enumerate(positions):
        scaling = getattr(position, "scaling", None)
        if isinstance(scaling, Yarn) and scaling.mscale_all_dims:
            with b.beside("positions", index):
                factor = b.field("rope_factor", scaling.factor, at=("scaling", "factor"))
            return _yarn_mscale(factor, scaling.mscale_all_dims)
    return None
