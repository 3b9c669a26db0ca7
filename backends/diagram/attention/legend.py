"""The legend of a figure of attention maps: one square for each step of colour."""

from __future__ import annotations

from ..masks.colours import HEAT, STEPS
from ..masks.sheet import Group, Patch, Words

WIDE, HIGH = 24.0, 10.0
WHOLE = 98 + len(STEPS) * WIDE + 80
"""Width of the legend."""

SIZE = 9.5


def legend(x: float, y: float, *, masked: bool) -> tuple[Group, float]:
    """The steps from left to right, and masked pairs if there are any. Also the lower end."""
    group = Group("legend", "Legend")
    group.words.append(Words("attention weight", x, y + 8.5, 10.5, "ink", "start"))
    x += 98
    for index, (tone, step) in enumerate(zip(HEAT, STEPS, strict=True)):
        left = x + index * WIDE
        group.patches.append(Patch(tone, tone, [(left, y, WIDE - 1, HIGH)]))
        group.words.append(Words(_number(step), left, y + HIGH + 11, SIZE))
    end = x + len(STEPS) * WIDE
    group.words.append(Words("1", end, y + HIGH + 11, SIZE))
    if masked:
        group.patches.append(Patch("masked", "masked", [(end + 22, y, HIGH, HIGH)]))
        group.words.append(Words("masked", end + 37, y + 8.5, 10.5, "ink", "start"))
    return group, y + HIGH + 12


def _number(step: float) -> str:
    return f"{step:g}".removeprefix("0") if step else "0"
