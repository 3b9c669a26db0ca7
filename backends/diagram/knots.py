"""Data structures for the layout of opened modules, see `weave`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .drawing import Point

SIDE = 24.0  # from the middle of a circle to the lines that enter it from the side
WIRE = 8.0  # the width that a passing line takes


@dataclass(eq=False)
class Knot:
    """A part in a row, or a line that passes through the row (without a width)."""

    key: str
    row: int
    width: float
    height: float
    round: bool = False
    passing: bool = False
    x: float = 0.0
    y: float = 0.0
    exit: float = 0.0  # where its output line starts
    into: list[Knot] = field(default_factory=list)  # its inputs, in the row below
    out: list[Knot] = field(default_factory=list)  # its outputs, in the row above
    ports: dict[int, list[Point]] = field(default_factory=dict)  # id of an input -> entry point

    @property
    def room(self) -> float:
        return max(self.width, 2 * SIDE) if self.round and len(self.into) > 1 else self.width


@dataclass
class Woven:
    """The layout of an opened module; `ways` are (from, to, points).

    The first source enters at the bottom centre, the others from the left at the heights `entries`.
    """

    places: dict[str, tuple[float, float, float, float]]  # u, y, width, height
    ways: list[tuple[str, str, list[Point]]]
    entries: dict[str, Point]
    left: float
    right: float
    top: float
    mirrored: bool = False

    def flipped(self) -> Woven:
        """The mirrored layout."""
        return Woven(
            {key: (-u, y, width, height) for key, (u, y, width, height) in self.places.items()},
            [(a, b, [(-u, y) for u, y in points]) for a, b, points in self.ways],
            {key: (-u, y) for key, (u, y) in self.entries.items()},
            -self.right,
            -self.left,
            self.top,
            mirrored=True,
        )


def tie(below: Knot, above: Knot) -> None:
    if above not in below.out:
        below.out.append(above)
        above.into.append(below)


def mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
