"""Sets of distances q - k between a query and a key, which masks allow.

>>> Distances.of(0, 3) & ~Distances.of(2, 2)
Distances(ranges=((0, 1), (3, 3)))
"""

from __future__ import annotations

from math import inf

from ..records import record


@record(frozen=True)
class Distances:
    """A set of integers: the first and last of each range, in order, with gaps between ranges."""

    ranges: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, first: float, last: float) -> Distances:
        """All integers from `first` to `last`."""
        return cls(((first, last),) if first <= last else ())

    def __invert__(self) -> Distances:
        found, start = [], -inf
        for first, last in self.ranges:
            if first > start:
                found.append((start, first - 1))
            start = last + 1
        if start < inf:
            found.append((start, inf))
        return Distances(tuple(found))

    def __and__(self, other: Distances) -> Distances:
        found = [
            (max(a, c), min(b, d))
            for a, b in self.ranges
            for c, d in other.ranges
            if max(a, c) <= min(b, d)
        ]
        return Distances(tuple(found))

    def __or__(self, other: Distances) -> Distances:
        return ~(~self & ~other)

    def __le__(self, other: Distances) -> bool:
        """Whether this is a subset."""
        return not (self & ~other).ranges


ALL = Distances.of(-inf, inf)
NONE = Distances()
