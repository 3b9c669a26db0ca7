"""A laid-out figure: boxes, frames, edges and texts with positions.

Units are points (1/72 inch), x to the right, y upwards from the bottom. The writers (SVG, DOT,
Mermaid) read a `Drawing` and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Point = tuple[float, float]

TITLE, SMALL, COUNT, NAME, SIGN = "title", "small", "count", "name", "sign"
FONT_SIZES = {TITLE: 13.0, SMALL: 9.5, COUNT: 19.0, NAME: 11.0, SIGN: 11.0}


@dataclass
class Line:
    """One line of text in a box."""

    text: str
    role: str = TITLE


@dataclass
class Box:
    """A part of the model: `form` is box, pill, circle or text; `look` its colours and class."""

    id: str
    look: str
    form: str
    x: float
    y: float
    width: float
    height: float
    lines: list[Line]
    path: str  # dotted path in the model
    tip: str  # the full text, which may be abbreviated in the box
    frame: str = ""  # the enclosing frame
    spec: str = ""  # dotted path in the resolved spec
    source: str = ""  # where that was written: `gpt2.yaml:12`
    mark: str = ""  # added, changed or removed

    @property
    def top(self) -> float:
        return self.y + self.height / 2

    @property
    def bottom(self) -> float:
        return self.y - self.height / 2


@dataclass
class Frame:
    """A rounded area around parts: the layers of a stack, or one kind of block among them."""

    id: str
    path: str
    left: float
    bottom: float
    right: float
    top: float
    name: str = ""
    lines: list[str] = field(default_factory=list)  # small, below the name
    indent: float = 0.0  # of the name and the lines, beyond lines that enter from above
    look: str = "frame"  # of an opened module, that of its box
    count: str = ""  # text outside of it: `12×`
    parent: str = ""
    spec: str = ""
    source: str = ""
    mark: str = ""


@dataclass
class Edge:
    """A line through `points`, its corners rounded; `look` is flow, residual, memory or tie."""

    source: str
    target: str
    points: list[Point]
    look: str = "flow"
    arrow: bool = True


@dataclass
class Text:
    """Text outside of boxes. `anchor`: -1 ends at x, 0 is centred on it, 1 starts at it."""

    text: str
    x: float
    y: float
    role: str = SMALL
    anchor: int = 0
    look: str = ""


@dataclass
class Drawing:
    title: str
    description: str = ""
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)  # outer ones first
    edges: list[Edge] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    theme: str = "auto"
    direction: str = "up"

    def parts(self) -> list[Box | Frame]:
        """The frames, outer ones first, then the boxes."""
        return [*self.frames, *self.boxes]

    def is_inner(self, frame: Frame) -> bool:
        """Whether this is the frame of one kind of layer inside that of all layers."""
        return bool(frame.parent) and all(other.parent != frame.id for other in self.frames)
