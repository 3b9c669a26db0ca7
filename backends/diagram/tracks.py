"""Tracks of horizontal lines between two rows, with few crossings and no overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

NEAR = 6.0  # lines closer than this need separate tracks
_MOST = 5  # with more lines, not all orders are tried


@dataclass(frozen=True)
class Net:
    """A value from u in the lower row to several u in the upper row."""

    name: int
    start: float
    ends: tuple[float, ...]

    @property
    def left(self) -> float:
        return min(self.start, *self.ends)

    @property
    def right(self) -> float:
        return max(self.start, *self.ends)

    @property
    def straight(self) -> bool:
        return self.right - self.left < 0.01


def tracks_of(nets: list[Net]) -> dict[int, int]:
    """The track of each line with a bend; 0 is the lowest.

    >>> tracks_of([Net(1, 0, (-50, 0, 50)), Net(2, 80, (80,))])
    {1: 0}
    >>> tracks_of([Net(1, 0, (40,)), Net(2, 20, (60,))])
    {2: 0, 1: 1}
    """
    bent = [net for net in nets if not net.straight]
    straight = [net for net in nets if net.straight]
    orders = permutations(bent) if len(bent) <= _MOST else [tuple(bent)]
    best = min(orders, key=lambda order: _cost(order, straight), default=())
    tracks: dict[int, int] = {}
    for index, net in enumerate(best):
        below = [tracks[o.name] for o in best[:index] if _overlap(net, o)]
        tracks[net.name] = 1 + max(below, default=-1)
    return tracks


def _overlap(a: Net, b: Net) -> bool:
    return a.left - NEAR < b.right and b.left - NEAR < a.right


def _cost(order: tuple[Net, ...], straight: list[Net]) -> int:
    """Number of crossings, plus ten for each pair of overlapping lines."""
    cost = 0
    for lower, upper in combinations(order, 2):
        cost += sum(upper.left < end < upper.right for end in lower.ends)
        cost += lower.left < upper.start < lower.right
        cost += 10 * sum(abs(end - upper.start) < NEAR for end in lower.ends)
    return cost + sum(o.left < net.start < o.right for net in straight for o in order)
