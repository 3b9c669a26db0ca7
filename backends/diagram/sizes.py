"""How large each part is drawn, and the distances between them, in points."""

from __future__ import annotations

from .arrange import Column, Item
from .drawing import FONT_SIZES, NAME, SMALL, TITLE, Line
from .parts import Part
from .text import shorten, text_width, wrap

BOX_WIDTH = 196.0
SIDE_WIDTH = 150.0
ARROW = 17.0  # an arrow's length
TEE = 9.0  # from a part to the tee above it
LANE = 13.0  # from a part's side to the lane beside it
FAN = 34.0  # between the arrows of queries, keys and values
PADDING = 13.0  # from what a frame holds to the frame
BRANCH = 18.0  # between branches
MARGIN = 14.0
CIRCLE = 19.0

_HEIGHTS = {1: 28.0, 2: 43.0, 3: 55.0, 4: 67.0}
_MAX_SMALL = 3


def lines_of(part: Part, width: float = BOX_WIDTH) -> list[Line]:
    """What stands in a box: the title, then at most three small lines."""
    inner = width - 12
    if part.form in ("circle", "wave"):
        return [Line("~" if part.form == "wave" else part.title)]
    if part.form == "pill":
        return [Line(shorten(part.title, FONT_SIZES[NAME], inner), NAME)] + [
            Line(shorten(text, FONT_SIZES[SMALL], inner), SMALL) for text in part.lines
        ]
    found = [Line(shorten(part.title, FONT_SIZES[TITLE], inner))]
    small: list[str] = []
    for index, text in enumerate(part.lines):
        left = _MAX_SMALL - len(small) - (len(part.lines) - index - 1)
        small.extend(wrap(text, FONT_SIZES[SMALL], inner, max(1, left)))
    return found + [Line(text, SMALL) for text in small[:_MAX_SMALL]]


def size_of(part: Part, width: float = BOX_WIDTH) -> tuple[float, float]:
    """Width and height of a part."""
    lines = lines_of(part, width)
    if part.form in ("circle", "wave"):
        return CIRCLE, CIRCLE
    if part.form == "pill":
        widest = max(text_width(line.text, FONT_SIZES[line.role]) for line in lines)
        return max(52.0, widest + 16), 20.0 if len(lines) == 1 else 34.0
    if part.form == "text":
        return width, 15.0 * len(lines)
    return width, _HEIGHTS[len(lines)]


def side_width(part: Part) -> float:
    """The width of a part that stands beside the column: as wide as its words, within limits."""
    widest = text_width(part.title, FONT_SIZES[TITLE]) + 14
    return min(max(SIDE_WIDTH, widest), BOX_WIDTH)


def width_of(column: Column, lanes: set[str]) -> float:
    """The width of a column; `lanes` are the parts that a lane ends at."""
    widest = 0.0
    for item in column:
        if isinstance(item, Item):
            extra = 2 * LANE if item.part.key in lanes else 0.0
            widest = max(widest, size_of(item.part)[0] + extra)
        else:
            branches = [width_of(branch, lanes) for branch in item.branches]
            widest = max(widest, sum(branches) + BRANCH * (len(branches) - 1))
    return widest
