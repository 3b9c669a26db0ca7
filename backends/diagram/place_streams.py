"""Place a stack with several streams: a column for each stream, in common frames.

A line from one stream to another runs in the gap between two columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...compiler.graph import Scope
from .arrange import Arrangement
from .beside import Table
from .columns import GAP, LEVEL
from .drawing import Edge, Point
from .lanes import even
from .lengths import shape_text
from .part import Part
from .place import Placer
from .placed import Cursor, Placed, Reading, Tail
from .sizes import TEE
from .streams import Stream, streams_of


@dataclass
class Crossing:
    """A line from the column `source` to the column `target`."""

    source: int
    target: int
    reading: Reading


class StreamPlacer(Placer):
    """Places one stream of a block, in coordinates of its own; `end` is its upper end."""

    end: Cursor

    def stream(self, stream: Stream, frame: str, cursor: Cursor) -> None:
        """Place the column of a stream; boxes are in this frame."""
        arrangement = stream.arrangement
        self._frame, self._lanes = frame, list(arrangement.lanes)
        self._crossing, self._apart = stream.crossing, stream.apart
        self._open_column(arrangement.column)
        tails = cursor.tails or [Tail("", [(0.0, cursor.y)])]
        self.out.exits[arrangement.entry] = (tails[0], cursor.y)
        self._tee(arrangement.entry, 0.0, cursor)
        self.end = self._column(arrangement.column, 0.0, cursor)
        even(self.out.edges)

    @property
    def tables(self) -> list[Table]:
        """The tables that lead to this column."""
        return self._tables


class StreamsPlacer(Placer):
    """Places a stack with several streams."""

    _spines: tuple[float, ...] = ()

    def place_all(self, layers: Part, below: list[Arrangement], above: list[Arrangement]) -> Placed:
        """The finished column: what is below and above the layers, for each stream."""
        self._spines = self._distances(layers)
        for arrangement in (*below, *above):
            self._lanes += arrangement.lanes
            self._open_column(arrangement.column)
        ends = [
            self._column(each.column, u, Cursor())
            for each, u in zip(below, self._spines, strict=True)
        ]
        tails = [tail for end in ends for tail in end.tails[:1]]
        cursor = self._layers(layers, 0.0, Cursor(max(end.y for end in ends), tails))
        for each, u, tail in zip(above, self._spines, cursor.tails, strict=True):
            self._column(each.column, u, Cursor(cursor.y, [tail]))
        self._beside(self.out.extent()[0])
        return self.out

    def _distances(self, layers: Part) -> tuple[float, ...]:
        """The centre line of each stream, the same in all kinds of blocks."""
        every = [self._streams(block.path, 0.0, []) for block in self.parts.blocks(layers.path)]
        spines = [0.0]
        for left, right in zip(range(len(every[0])), range(1, len(every[0])), strict=False):
            reach = [_sides(streams[left].out, left)[1] for streams in every]
            reach_back = [-_sides(streams[right].out, right)[0] for streams in every]
            lines = [len({r.source for s in streams for r in s.out.readings}) for streams in every]
            spines.append(spines[-1] + max(reach) + max(reach_back) + GAP + LEVEL * max(lines))
        return tuple(spines)

    def _streams(self, path: str, y: float, tails: list[Tail]) -> list[StreamPlacer]:
        """The placed streams of a block, each in its own coordinates."""
        found = []
        for number, stream in enumerate(streams_of(self.parts, path)):
            placer = StreamPlacer(
                self.parts, self.root, self.outputs, self.options, mirrored=number == 0
            )
            own = [Tail(tails[number].key, [(0.0, tails[number].points[-1][1])])] if tails else []
            placer.stream(stream, self._frame, Cursor(y, own))
            found.append(placer)
        return found

    def _block(self, path: str, u: float, cursor: Cursor) -> Cursor:
        placers = self._streams(path, cursor.y, cursor.tails)
        columns = [
            placer.out.moved(x, -1 if number == 0 else 1)
            for number, (placer, x) in enumerate(zip(placers, self._spines, strict=True))
        ]
        crossings: list[Crossing] = []
        for number, column in enumerate(columns):
            self._merge(column)
            for reading in column.readings:
                home = next((i for i, c in enumerate(columns) if reading.source in c.exits), None)
                if home is None:
                    self.out.readings.append(reading)
                else:
                    crossings.append(Crossing(home, number, reading))
            for table in placers[number].tables:
                ways = [
                    (box, [(self._spines[number] + u, y) for u, y in w]) for box, w in table.ways
                ]
                self._tables.append(replace(table, ways=ways))
        top = max(placer.end.y for placer in placers)
        top = self._cross(columns, crossings, top)
        tails = [
            Tail(t.key, [(x, y) for _, y in t.points[-1:]])
            for placer, x in zip(placers, self._spines, strict=True)
            for t in placer.end.tails[:1]
        ]
        return Cursor(top, tails)

    def _merge(self, column: Placed) -> None:
        self.out.boxes += column.boxes
        self.out.edges += column.edges
        self.out.texts += column.texts
        self.out.frames += column.frames
        self.out.exits.update(column.exits)

    def _cross(self, columns: list[Placed], crossings: list[Crossing], top: float) -> float:
        """Draw the lines between streams; returns the height of what is drawn."""
        levels: dict[int, dict[str, float]] = {}
        for each in crossings:
            for gap in (_gap(each.source), _gap(each.target)):
                known = levels.setdefault(gap, {})
                left = columns[gap].extent()[1] + GAP / 2
                known.setdefault(each.reading.source, left + LEVEL * len(known))
        leaving: dict[str, float] = {}  # source -> the height at which its line leaves
        for each in crossings:
            source = each.reading.source
            tail, clear = columns[each.source].exits[source]
            others = [y for key, y in leaving.items() if key != source]
            leaving.setdefault(
                source, clear + TEE - 5 * any(abs(y - clear - TEE) < 3 for y in others)
            )
            u, leave = tail.points[-1][0], leaving[source]
            start, end = levels[_gap(each.source)][source], levels[_gap(each.target)][source]
            way: list[Point] = [(u, leave), (start, leave)]
            if start != end:  # around the columns between them
                top = max(top, *(column.height()[1] for column in columns)) + LEVEL
                way += [(start, top), (end, top)]
            way.append((end, each.reading.points[0][1]))
            edge = Edge(tail.key, each.reading.target, [*way, *each.reading.points], "memory")
            self.out.edges.append(edge)
        return top

    def _shapes(self, scope: Scope, u: float, cursor: Cursor) -> None:
        for value, x in zip(scope.sources, self._spines, strict=True):
            self._shape(shape_text(self.parts.graph, value), x, cursor)


def _gap(column: int) -> int:
    """The gap beside a column, away from its residual lanes; gap 0 is after the first column."""
    return max(0, column - 1)


def _sides(column: Placed, number: int) -> tuple[float, float]:
    """How far a column extends to the left and right of its centre line."""
    return column.moved(0.0, -1 if number == 0 else 1).extent()
