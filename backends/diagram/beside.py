"""A column under construction: its boxes and their inputs from the side."""

from __future__ import annotations

from dataclasses import dataclass

from .arrange import Item, Region
from .drawing import FONT_SIZES, SMALL, Box, Edge, Point, Text
from .options import DrawOptions
from .part import Part
from .parts import Parts
from .placed import Placed, Reading
from .sizes import BOX_WIDTH, SIDE_WIDTH, lines_of, side_width, size_of
from .text import wrap
from .written import written

SIDE_GAP = 5.0  # between tables that stand above one another
WAVE_WORDS = 60.0  # the width of the words beside a wave
ACROSS = 76.0  # the most that a box takes across a figure that runs to the right
BELOW = 14.0  # from a box of a chain to the line that enters it from below
WIRES = 7.0  # between the lines that lead from tables up and down


@dataclass
class Table:
    """A chain of parts (such as a position table) that is drawn at the side of a frame.

    `ways` are the boxes that it leads to, with the points of each line.
    """

    chain: list[Part]
    y: float
    ways: list[tuple[Box, list[Point]]]


class Beside:
    """The placed parts of a column, and the tables that remain to be placed at its side."""

    def __init__(
        self,
        parts: Parts,
        root: Region,
        outputs: frozenset[str],
        options: DrawOptions,
        *,
        mirrored: bool = False,
    ) -> None:
        self.parts, self.root, self.outputs, self.options = parts, root, outputs, options
        self._mirrored, self._sideways = mirrored, options.direction == "right"
        self.out = Placed(sideways=self._sideways)
        self._frame = ""
        self._tables: list[Table] = []

    def _box(self, part: Part, u: float, y: float, width: float, height: float) -> Box:
        lines = lines_of(part, max(height if self._sideways else width, SIDE_WIDTH))
        tip = " · ".join([part.title, *part.lines])
        form = {"wave": "circle", "layers": "box"}.get(part.form, part.form)
        box = Box(
            part.key, part.look, form, u, y, width, height, lines, part.path, tip, self._frame
        )
        box.spec, box.source = written(self.parts.graph, part.origin(self.parts.graph))
        self.out.boxes.append(box)
        return box

    def _sides(self, item: Item, box: Box) -> None:
        """The inputs of a part from the side: sums on the side of the lanes, boxes on the other."""
        outwards = 1 if box.form == "circle" else -1
        heights = [self._side_height(chain) for chain in item.sides]
        y = box.y - (sum(heights) + SIDE_GAP * (len(heights) - 1)) / 2
        for chain, height in zip(item.sides, heights, strict=True):
            centre = y + height / 2
            near = box.x + outwards * box.width / 2
            far = box.x + outwards * ((ACROSS if self._sideways else BOX_WIDTH) / 2 + 14)
            if chain[0].form == "wave":
                far = min(far, near + outwards * 34, key=abs)
            side = self._chain(chain, far, centre, outwards)
            points = [(far, centre), (near, centre)]
            if abs(centre - box.y) > box.height / 2 - 2:
                points = [(far, centre), (box.x, centre), (box.x, _near(box, centre))]
            self.out.edges.append(Edge(side.id, box.id, points))
            y += height + SIDE_GAP

    def _side_height(self, chain: list[Part]) -> float:
        """Height of the inputs of a part from the side."""
        if self._sideways and chain[0].form == "wave":
            return WAVE_WORDS + 4
        below = any(source in self.outputs for part in chain[:-1] for source in part.outside)
        return max(size_of(part, SIDE_WIDTH)[1] for part in chain) + 2 * BELOW * below

    def _chain(self, chain: list[Part], far: float, y: float, outwards: int) -> Box:
        """Place a chain of parts outwards from u = far; returns the first."""
        found: list[Box] = []
        for part in chain:
            width, height = size_of(part, side_width(part))
            copies = sum(known.path == part.path for known in self.out.boxes)
            box = self._box(part, far + outwards * width / 2, y, width, height)
            box.id += f".copy.{copies}" if copies else ""
            if found:
                end = found[-1].x + outwards * found[-1].width / 2
                self.out.edges.append(Edge(box.id, found[-1].id, [(far, y), (end, y)]))
            if part.form == "wave":
                self._words(part, far + outwards * (width + 6), y, outwards)
            found.append(box)
            way = [(far + outwards * width, y)]
            if part is not chain[-1]:  # its other inputs are there
                way = [(box.x, y - self._side_height(chain) / 2), (box.x, box.bottom)]
            read = [source for source in part.outside if source in self.outputs]
            self.out.readings += [Reading(source, box.id, way) for source in read]
            far += outwards * (width + (16 if self._sideways else 22))
        return found[0]

    def _words(self, part: Part, u: float, y: float, anchor: int) -> None:
        lines = wrap(part.title, FONT_SIZES[SMALL], WAVE_WORDS, 3)
        if self._sideways and (anchor > 0) == self._mirrored:  # upwards: the last line is nearest
            lines = lines[::-1]
        for index, line in enumerate(lines):
            if self._sideways:
                across = u + anchor * (5 + 12 * index)
                self.out.texts.append(Text(line, across, y, SMALL, 0))
                continue
            height = y + 6 * (len(lines) - 1) - 12 * index
            self.out.texts.append(Text(line, u, height, SMALL, anchor))

    def _outside(self, part: Part, box: Box) -> None:
        """Remember tables outside of the frame that lead to a box."""
        sources = [source for source in part.outside if source not in self.outputs]
        chains = [chain for source in sources for chain in self.root.chain(source)]
        chains = [chain for chain in chains if chain[0].key not in self.outputs]  # read already
        for index, chain in enumerate(chains):
            y = box.y + (index - (len(chains) - 1) / 2) * (box.height - 14) / max(1, len(chains))
            end = (box.x - box.width / 2, y)
            self._tables.append(Table(chain, y, [(box, [end])]))

    def _beside(self, left: float) -> None:
        """Draw the remembered tables left of u = left, each once.

        A table with several targets has a vertical line between tables and frames.
        """
        grouped: dict[str, list[Table]] = {}
        for table in self._tables:
            grouped.setdefault(table.chain[0].key, []).append(table)
        self._tables = []
        busy = sorted(reading.points[0][1] for reading in self.out.readings)
        lowest, heights = float("-inf"), {}
        for key, tables in grouped.items():
            half = self._side_height(tables[0].chain) / 2 + SIDE_GAP
            heights[key] = _free(max(tables[0].y, lowest + half), half, busy)
            lowest = heights[key] + half - SIDE_GAP
        moved = [key for key, t in grouped.items() if {each.y for each in t} != {heights[key]}]
        far = left - 12 - WIRES * len(moved)
        for key, tables in grouped.items():
            source, y = self._chain(tables[0].chain, far, heights[key], -1), heights[key]
            start = [(far, y)]
            for box, way in (way for table in tables for way in table.ways):
                up = left - 12 - WIRES * moved.index(key) if way[0][1] != y else far
                around = [(up, y), (up, way[0][1])] if way[0][1] != y else []
                self.out.edges.append(Edge(source.id, box.id, [*start, *around, *way], "position"))


def _free(y: float, half: float, busy: list[float]) -> float:
    """The first height from y on at which a table does not cover a line."""
    for line in busy:
        if abs(line - y) < half:
            y = line + half
    return y


def _near(box: Box, y: float) -> float:
    """The edge of a box nearest to a height outside it."""
    return box.top if y > box.y else box.bottom
