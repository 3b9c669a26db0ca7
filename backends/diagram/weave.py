"""Lay out the content of an opened module in rows, from the bottom to the top (layered layout).

A part is one row above its highest input. A line that passes a row has a place in it, so that it
crosses no box. Chains without forks stay in one column. Between two rows, each value has its own
track. Coordinates are those of a column (see `placed`); u = 0 is the centre line of input and
output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .drawing import Point
from .knots import WIRE, Knot, Woven, mean, tie
from .ports import round_ports, spread
from .tracks import Net, tracks_of
from .upright import GAP, stand_upright

CHANNEL = 17.0  # between two rows with only straight lines
TRACK = 8.0  # between tracks


def weave(
    sizes: Mapping[str, tuple[float, float]],
    inputs: Mapping[str, Sequence[str]],
    sources: Sequence[str],
    result: str,
    circles: frozenset[str] = frozenset(),
    *,
    mirrored: bool = False,
) -> Woven:
    """Place parts, given in topological order, and the lines between them.

    `mirrored`: for a column that will be mirrored; parts keep their order from left to right.
    """
    made = _Weave(sizes, inputs, sources, result, circles, mirrored=mirrored).woven()
    return made.flipped() if mirrored else made


class _Weave:
    def __init__(
        self,
        sizes: Mapping[str, tuple[float, float]],
        inputs: Mapping[str, Sequence[str]],
        sources: Sequence[str],
        result: str,
        circles: frozenset[str],
        *,
        mirrored: bool,
    ) -> None:
        self.inputs = inputs
        self.sources = list(sources)
        self.knots: dict[str, Knot] = {
            key: Knot(key, 0, WIRE, 0.0, passing=True) for key in sources
        }
        for key, row in self._rows(sizes, result).items():
            self.knots[key] = Knot(key, row, *sizes[key], key in circles)
        self.passing: dict[tuple[str, int], Knot] = {}
        self.result = self.knots[result]
        self._join()
        self.rows: list[list[Knot]] = [[] for _ in range(1 + max(k.row for k in self._all()))]
        for knot in self._all():
            self.rows[knot.row].append(knot)
        ground = [self.knots[key] for key in (*self.sources[1:], *self.sources[:1])]
        self.rows[0] = ground[::-1] if mirrored else ground
        self.sides = self.sources[1:]
        self._order()
        spine = [self.result, *(self.knots[key] for key in self.sources[:1])]
        stand_upright(self.rows, spine)
        self._stretch()
        self._ports()
        self._heights()

    def _all(self) -> list[Knot]:
        return [*self.knots.values(), *self.passing.values()]

    # -- rows

    def _rows(self, sizes: Mapping[str, tuple[float, float]], result: str) -> dict[str, int]:
        """The row of each part; one without inputs is directly below its output."""
        rows = dict.fromkeys(self.sources, 0)
        for key in sizes:
            rows[key] = 1 + max((rows[s] for s in self.inputs.get(key, ())), default=0)
        for key in reversed(list(sizes)):
            readers = [rows[k] for k in sizes if key in self.inputs.get(k, ())]
            if not self.inputs.get(key) and readers:
                rows[key] = max(1, min(readers) - 1)
        rows[result] = max(rows.values())
        return {key: rows[key] for key in sizes}

    def _join(self) -> None:
        """Connect each part to its inputs, with a place in every row between."""
        for key, sources in self.inputs.items():
            knot = self.knots[key]
            for source in sources:
                below = self.knots[source]
                for row in range(below.row + 1, knot.row):
                    below = self._pass(source, row, below)
                tie(below, knot)

    def _pass(self, source: str, row: int, below: Knot) -> Knot:
        if (source, row) not in self.passing:
            self.passing[source, row] = Knot(source, row, WIRE, 0.0, passing=True)
            tie(below, self.passing[source, row])
        return self.passing[source, row]

    # -- the order in each row

    def _order(self) -> None:
        """Order rows by a few sweeps of the barycentre heuristic; keeps the fewest crossings."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for turn in range(8):
            upwards = turn % 2 == 0
            rows = self.rows[1:] if upwards else self.rows[-2:0:-1]
            for row in rows:
                place = {id(k): i for other in self.rows for i, k in enumerate(other)}
                middle = {
                    id(k): mean(
                        [place[id(n)] for n in (k.into if upwards else k.out)], place[id(k)]
                    )
                    for k in row
                }
                row.sort(key=lambda knot: middle[id(knot)])
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _crossings(self) -> int:
        total = 0
        for lower, upper in pairwise(self.rows):
            place = {id(knot): index for index, knot in enumerate(upper)}
            lines = [(i, place[id(n)]) for i, knot in enumerate(lower) for n in knot.out]
            total += sum(
                (a - c) * (b - d) < 0
                for index, (a, b) in enumerate(lines)
                for c, d in lines[index + 1 :]
            )
        return total

    # -- along u

    def _stretch(self) -> None:
        """Widen a box to cover its inputs, as far as its row has room."""
        for row in self.rows:
            for index, knot in enumerate(row):
                if knot.passing or knot.round or len(knot.into) < 2:
                    continue
                reach = [knot.exit, *(below.exit for below in knot.into)]
                low = min(min(reach) - 18, knot.x - knot.width / 2)
                high = max(max(reach) + 18, knot.x + knot.width / 2)
                if index:
                    low = max(low, row[index - 1].x + row[index - 1].room / 2 + GAP)
                if index + 1 < len(row):
                    high = min(high, row[index + 1].x - row[index + 1].room / 2 - GAP)
                if len(row) > 1:  # limited by its neighbours
                    low, high = (
                        min(low, knot.x - knot.width / 2),
                        max(high, knot.x + knot.width / 2),
                    )
                knot.width, knot.x = high - low, (high + low) / 2

    # -- ways in

    def _ports(self) -> None:
        for knot in (k for row in self.rows[1:] for k in row):
            below = sorted(knot.into, key=lambda other: other.exit)
            if knot.passing or (knot.round and len(below) == 1):
                ports = [[(knot.x, 0.0)] for _ in below]
            elif knot.round:
                ports = round_ports(knot, below, self.rows[knot.row])
            else:
                ports = [[(x, 0.0)] for x in spread(knot, below)]
            knot.ports = {id(other): port for other, port in zip(below, ports, strict=True)}

    # -- along y

    def _heights(self) -> None:
        """Heights of rows and tracks, from the bottom up."""
        y = TRACK * max(0, len(self.sides) - 1)
        for index, key in enumerate(self.sides):
            self.knots[key].y = y - TRACK * index
        self.bends: dict[int, float] = {}
        for row, above in pairwise(self.rows):
            nets = [
                Net(id(k), k.exit, tuple(o.ports[id(k)][0][0] for o in k.out)) for k in row if k.out
            ]
            found = tracks_of(nets)
            for name, track in found.items():
                self.bends[name] = y + 8.0 + TRACK * track
            bent = CHANNEL + 4.0 + TRACK * max(found.values(), default=0) if found else CHANNEL
            y += bent
            high = max(knot.height for knot in above)
            for knot in above:
                knot.y = y + high / 2
            y += high

    # -- the result

    def woven(self) -> Woven:
        ways = []
        for key, sources in self.inputs.items():
            ways += [(source, key, self._way(source, self.knots[key])) for source in sources]
        places = {
            key: (knot.x, knot.y, knot.width, knot.height)
            for key, knot in self.knots.items()
            if key not in self.sources
        }
        us = [u for _, _, points in ways for u, _ in points]
        us += [u + side * width / 2 for u, _, width, _ in places.values() for side in (-1, 1)]
        top = max(y + height / 2 for _, y, _, height in places.values())
        entries = {key: (self.knots[key].x, self.knots[key].y) for key in self.sources}
        return Woven(places, ways, entries, min(us), max(us), top)

    def _way(self, source: str, knot: Knot) -> list[Point]:
        steps = [knot]
        while steps[-1] is not self.knots[source]:
            steps.append(next(b for b in steps[-1].into if b.key == source))
        start = steps[-1]
        points = [(start.exit, start.y + start.height / 2)]
        for below, above in pairwise(reversed(steps)):
            (u, _), *rest = above.ports[id(below)]
            if abs(u - points[-1][0]) > 0.01:
                bend = self.bends[id(below)]
                points += [(points[-1][0], bend), (u, bend)]
            if not above.passing:
                points += (
                    [(u, above.y), *[(v, above.y) for v, _ in rest]]
                    if rest
                    else [(u, above.y - above.height / 2)]
                )
        return points
