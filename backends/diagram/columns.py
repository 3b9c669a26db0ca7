"""Columns of several stacks side by side, and the connections between them."""

from __future__ import annotations

from .drawing import FONT_SIZES, TITLE, Box, Drawing, Edge, Line, Point
from .placed import Placed, Reading
from .sizes import MARGIN
from .text import text_width, words

GAP = 30.0  # between columns
LEVEL = 10.0  # between the lines of several stacks that are read


def side_by_side(columns: list[Placed]) -> list[Placed]:
    """Place columns side by side; the first one is mirrored, so that its lanes are outside."""
    found: list[Placed] = []
    x = 0.0
    for index, column in enumerate(columns):
        sign = -1 if index == 0 and len(columns) > 1 else 1
        left, right = sorted(sign * u for u in column.extent())
        lanes = LEVEL * len({reading.source for reading in column.readings})
        x += -left + lanes
        found.append(column.moved(x, sign))
        x += right + GAP
    return found


def readings(drawing: Drawing, columns: list[Placed], stacks: dict[str, str]) -> None:
    """Draw connections from the output of a stack to each box that reads it.

    `stacks` maps output parts to names of stacks. A stack that is not drawn is shown as a name
    beside the column that reads it.
    """
    for index, column in enumerate(columns):
        left = column.extent()[0]
        for level, source in enumerate(dict.fromkeys(r.source for r in column.readings)):
            wanted = [reading for reading in column.readings if reading.source == source]
            x = left - 14 - LEVEL * level
            home = next((i for i, other in enumerate(columns) if source in other.exits), None)
            if home is None:
                start = _named(drawing, stacks[source], x, wanted, sideways=column.sideways)
                way: list[Point] = [(start.x + start.width / 2, start.y)]
                key = start.id
            else:
                tail, clear = columns[home].exits[source]
                over = max([clear, *_between(columns[home + 1 : index], columns)]) + MARGIN
                (u, y), key = tail.points[-1], tail.key
                way = [(u, y), (u, over), (x, over)]
            for reading in wanted:
                entry = reading.points[0][1]
                bend = [(x, entry)] if home is not None or entry != way[0][1] else []
                if home is None and bend:
                    bend.insert(0, (x, way[0][1]))
                points = [*way, *bend, *reading.points]
                drawing.edges.append(Edge(key, reading.target, points, "memory"))


def _between(passed: list[Placed], columns: list[Placed]) -> list[float]:
    """The tops of columns that a line passes, and the heights of the lines that leave them."""
    read = {reading.source for column in columns for reading in column.readings}
    found = [box.top for column in passed for box in column.boxes]
    found += [frame.top for column in passed for frame in column.frames]
    leaving = [column.exits[key] for column in passed for key in read & column.exits.keys()]
    return [*found, *(clear + MARGIN for _, clear in leaving)]


def _named(drawing: Drawing, stack: str, x: float, wanted: list[Reading], *, sideways: bool) -> Box:
    """The name of a stack that is not drawn, at the height of its lowest line."""
    label = f"{words(stack)} states"
    size = text_width(label, FONT_SIZES[TITLE]) + 8, 18.0
    width, height = size[::-1] if sideways else size
    y = min(reading.points[0][1] for reading in wanted)
    lines = [Line(label)]
    box = Box(
        f"{stack}.states", "text", "text", x - 8 - width / 2, y, width, height, lines, stack, label
    )
    drawing.boxes.append(box)
    return box


def distinct(columns: list[Placed]) -> None:
    """Give an argument that two stacks read a separate id in each column."""
    seen: set[str] = set()
    for index, column in enumerate(columns, 1):
        fresh = {box.id: f"{box.id}.column.{index}" for box in column.boxes if box.id in seen}
        for box in column.boxes:
            box.id = fresh.get(box.id, box.id)
        for edge in column.edges:
            edge.source = fresh.get(edge.source, edge.source)
            edge.target = fresh.get(edge.target, edge.target)
        seen.update(box.id for box in column.boxes)
