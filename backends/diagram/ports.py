"""Where lines enter the parts of an opened module."""

from __future__ import annotations

from itertools import pairwise

from .drawing import Point
from .knots import SIDE, Knot


def spread(knot: Knot, below: list[Knot]) -> list[float]:
    """Entry points of lines into a box from below, vertical where possible."""
    half = max(0.0, knot.width / 2 - 12)
    ports = [min(max(other.exit, knot.x - half), knot.x + half) for other in below]
    if len(ports) == 1:
        straight = abs(below[0].exit - knot.x) <= half
        return ports if straight else [knot.x]
    if any(b - a < 14 for a, b in pairwise(ports)):
        step = min(34.0, 2 * half / (len(ports) - 1))
        ports = [knot.x + (index - (len(ports) - 1) / 2) * step for index in range(len(ports))]
    return ports


def round_ports(knot: Knot, below: list[Knot], row: list[Knot]) -> list[list[Point]]:
    """Entry points of a circle: left, bottom and right."""
    radius = knot.width / 2
    sides = {2: (-1, 1), 3: (-1, 0, 1)}.get(len(below), (-1, *[0] * (len(below) - 2), 1))
    if len(below) == 2 and abs(below[0].exit - knot.x) < 1:
        sides = (0, 1)
    elif len(below) == 2 and abs(below[1].exit - knot.x) < 1:
        sides = (-1, 0)
    found: list[list[Point]] = []
    for side, other in zip(sides, below, strict=True):
        if side == 0:
            found.append([(knot.x, 0.0)])
            continue
        far = (other.exit - knot.x) * side
        between = [k for k in row if k is not knot and 0 < (k.x - knot.x) * side < far + k.room / 2]
        u = other.exit if far > radius + 10 and not between else knot.x + side * SIDE
        found.append([(u, 0.0), (knot.x + side * radius, 0.0)])
    return found
