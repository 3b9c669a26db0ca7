"""A column under construction, in its own coordinates.

u points from the centre line towards the residual lanes, y upwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .drawing import FONT_SIZES, Box, Edge, Frame, Point, Text
from .text import text_width

Mark = tuple[int, int, int, int]


@dataclass
class Tail:
    """An open end of a line: its source and its points so far."""

    key: str
    points: list[Point]


@dataclass
class Cursor:
    """The current height of a column, and its open ends."""

    y: float = 0.0
    tails: list[Tail] = field(default_factory=list)


@dataclass
class Reading:
    """A connection to another stack's output; the line ends in `points`."""

    source: str
    target: str
    points: list[Point]


@dataclass
class Placed:
    """A finished column, in its own coordinates."""

    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    exits: dict[str, tuple[Tail, float]] = field(default_factory=dict)  # part -> tail, clear height
    sideways: bool = False  # horizontal figure: text is along y

    def extent(self, since: Mark = (0, 0, 0, 0)) -> tuple[float, float]:
        """The smallest and largest u of all parts placed since then."""
        found: list[float] = []
        for box in self.boxes[since[0] :]:
            found += [box.x - box.width / 2, box.x + box.width / 2]
        for edge in self.edges[since[1] :]:
            found += [u for u, _ in edge.points]
        for text in self.texts[since[2] :]:
            width = text_width(text.text, FONT_SIZES[text.role])
            left = text.x - width * (1 - text.anchor) / 2
            half = FONT_SIZES[text.role] * 0.6
            found += [text.x - half, text.x + half] if self.sideways else [left, left + width]
        for frame in self.frames[since[3] :]:
            found += [frame.left, frame.right]
        return min(found, default=0.0), max(found, default=0.0)

    def height(self) -> tuple[float, float]:
        """The lowest and the highest y."""
        found = [text.y for text in self.texts]
        found += [y for box in self.boxes for y in (box.bottom, box.top)]
        found += [y for frame in self.frames for y in (frame.bottom, frame.top)]
        found += [y for edge in self.edges for _, y in edge.points]
        return min(found, default=0.0), max(found, default=0.0)

    def mark(self) -> Mark:
        return len(self.boxes), len(self.edges), len(self.texts), len(self.frames)

    def moved(self, x: float, sign: int) -> Placed:
        """The column with its centre line at x; sign -1 mirrors it."""

        def to(points: list[Point]) -> list[Point]:
            return [(x + sign * u, y) for u, y in points]

        def framed(frame: Frame) -> Frame:
            sides = sorted((x + sign * frame.left, x + sign * frame.right))
            return replace(frame, left=sides[0], right=sides[1])

        return Placed(
            [replace(box, x=x + sign * box.x) for box in self.boxes],
            [framed(frame) for frame in self.frames],
            [replace(edge, points=to(edge.points)) for edge in self.edges],
            [
                replace(t, x=x + sign * t.x, anchor=t.anchor if self.sideways else sign * t.anchor)
                for t in self.texts
            ],
            [replace(reading, points=to(reading.points)) for reading in self.readings],
            {
                key: (Tail(tail.key, to(tail.points)), clear)
                for key, (tail, clear) in self.exits.items()
            },
            self.sideways,
        )


def rename(placed: Placed, since: Mark, path: str, new: str) -> None:
    """Give all parts placed since then ids in a separate scope."""
    for box in placed.boxes[since[0] :]:
        box.id, box.frame = renamed(box.id, path, new), renamed(box.frame, path, new)
    for edge in placed.edges[since[1] :]:
        edge.source, edge.target = renamed(edge.source, path, new), renamed(edge.target, path, new)
    for frame in placed.frames[since[3] :]:
        frame.id, frame.parent = renamed(frame.id, path, new), renamed(frame.parent, path, new)
    for reading in placed.readings:
        reading.target = renamed(reading.target, path, new)


def renamed(key: str, path: str, new: str) -> str:
    return new + key[len(path) :] if key == path or key.startswith(f"{path}.") else key
