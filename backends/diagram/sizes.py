"""Sizes of parts and distances between them, in points."""

from __future__ import annotations

from .arrange import Column, Item
from .drawing import FONT_SIZES, NAME, SMALL, TITLE, Line
from .part import Part
from .text import shorten, text_width, wrap

BOX_WIDTH = 196.0
SIDE_WIDTH = 150.0
NARROW = 84.0  # the least width of a box in a figure that runs to the right
ARROW = 17.0  # an arrow's length
TEE = 9.0  # from a part to the tee above it
LANE = 13.0  # from a part's side to the lane beside it
FAN = 34.0  # between the arrows of queries, keys and values
PADDING = 13.0  # from what a frame holds to the frame
BRANCH = 18.0  # between branches
MARGIN = 14.0
CIRCLE = 19.0
LINE = 12.0  # a line of the words of an opened module's frame
HEADROOM = 9.0  # from its highest part to those words
ENTRY = 9.0  # from that frame to where the stream enters

_MAX_SMALL = 6
_MAX_PILL = 4


def lines_of(part: Part, width: float = BOX_WIDTH) -> list[Line]:
    """The lines of a box: the title, then at most six small lines."""
    inner = width - (6 if part.form == "text" else 12)  # text without a border needs less
    if part.form in ("circle", "wave"):
        return [Line("~" if part.form == "wave" else part.title)]
    if part.form == "pill":
        room = min(inner, SIDE_WIDTH)
        wrapped = [s for text in part.lines for s in wrap(text, FONT_SIZES[SMALL], room, _MAX_PILL)]
        title = Line(shorten(part.title, FONT_SIZES[NAME], inner), NAME)
        return [title, *(Line(text, SMALL) for text in wrapped)]
    found = [Line(shorten(part.title, FONT_SIZES[TITLE], inner))]
    small: list[str] = []
    for index, text in enumerate(part.lines):
        left = _MAX_SMALL - len(small) - (len(part.lines) - index - 1)
        small.extend(wrap(text, FONT_SIZES[SMALL], inner, max(1, left)))
    small = small[:_MAX_SMALL] + ([shorten(part.cost, FONT_SIZES[SMALL], inner)] * bool(part.cost))
    return found + [Line(text, SMALL) for text in small]


def size_of(part: Part, width: float = BOX_WIDTH) -> tuple[float, float]:
    """The size of a part across and along the column."""
    if part.inner is not None:
        left, right, height = frame_of(part)
        return 2 * max(left, right), height
    if not part.sideways:
        return _drawn(part, width)
    if part.form in ("box", "layers"):
        width = _fitting(part, NARROW)
    elif part.form == "text":
        width = side_width(part)
    return _drawn(part, width)[::-1]


def _drawn(part: Part, width: float) -> tuple[float, float]:
    """Width and height of a part in the figure."""
    lines = lines_of(part, width)
    if part.form in ("circle", "wave"):
        return CIRCLE, CIRCLE
    if part.form == "pill":
        widest = max(text_width(line.text, FONT_SIZES[line.role]) for line in lines)
        return max(52.0, widest + 16), 20.0 if len(lines) == 1 else 34.0 + 12.0 * (len(lines) - 2)
    if part.form == "text":
        if part.outside and not part.sideways:  # an edge ends at its side
            width = text_width(part.title, FONT_SIZES[TITLE]) + 8
        return width, 15.0 * len(lines)
    return width, 28.0 if len(lines) == 1 else 43.0 + 12.0 * (len(lines) - 2)


def inner_size(part: Part) -> tuple[float, float]:
    """The size of a part in an opened module, across and along; fitted to its text."""
    if part.form != "box":
        return size_of(part, SIDE_WIDTH)
    width = _fitting(part, 66.0)
    size = width, _drawn(part, width)[1]
    return size[::-1] if part.sideways else size


def _fitting(part: Part, least: float) -> float:
    """The width of a box fitted to its text, within limits."""
    words = [text_width(part.title, FONT_SIZES[TITLE])]
    words += [text_width(text, FONT_SIZES[SMALL]) for text in (*part.lines, part.cost)]
    return min(max(least, max(words) + 14), BOX_WIDTH)


def side_width(part: Part) -> float:
    """The width of a part at the side of the column, fitted to its text, within limits."""
    if part.form == "text":
        words = [text_width(part.title, FONT_SIZES[TITLE])]
        return 6 + max([*words, *(text_width(line, FONT_SIZES[SMALL]) for line in part.lines)])
    widest = text_width(part.title, FONT_SIZES[TITLE]) + 14
    return min(max(SIDE_WIDTH, widest), BOX_WIDTH)


def width_of(column: Column, lanes: set[str]) -> float:
    """The width of a column; `lanes` are the parts at which lanes end."""
    widest = 0.0
    for item in column:
        if isinstance(item, Item):
            extra = 2 * LANE if item.part.key in lanes else 0.0
            widest = max(widest, size_of(item.part)[0] + extra)
        else:
            branches = [width_of(branch, lanes) for branch in item.branches]
            widest = max(widest, sum(branches) + BRANCH * (len(branches) - 1))
    return widest


def frame_of(part: Part) -> tuple[float, float, float]:
    """The extent of an opened module's frame to both sides of the centre line, and its height.

    Its text is left of the output line, or above the content in a horizontal figure.
    """
    inner = part.inner
    assert inner is not None
    left, right = (inner.right, -inner.left) if inner.mirrored else (-inner.left, inner.right)
    name = text_width(part.title, FONT_SIZES[NAME]) * 1.08  # it is bold
    if part.sideways:
        indent = indent_of(part)
        height = max(ENTRY + inner.top + PADDING, name + 26 + indent)
        left += LINE * (1 + len(frame_lines(part, height - indent))) + HEADROOM + 3
        right += PADDING
    else:
        left = max(left + PADDING, name + 24, BOX_WIDTH / 2)
        right = max(right + PADDING, BOX_WIDTH / 2)
        height = ENTRY + inner.top + HEADROOM + LINE * (1 + len(frame_lines(part, left))) + 4
    return (right, left, height) if inner.mirrored else (left, right, height)


def indent_of(part: Part) -> float:
    """Indentation of an opened module's text, beyond lines that enter from above."""
    sides = len(part.inner.entries) - 1 if part.inner is not None else 0
    return 4.0 + 8.0 * sides if part.sideways and sides > 0 else 0.0


def frame_lines(part: Part, room: float) -> list[str]:
    """The lines of an opened module's frame, joined where they fit."""
    found: list[str] = []
    lines = part.lines if part.look == "attention" else ()  # else its content says the same
    for text in (text for line in (*lines, part.cost) for text in line.split(" · ") if text):
        joined = f"{found[-1]} · {text}" if found else text
        if found and text_width(joined, FONT_SIZES[SMALL]) <= room - 22:
            found[-1] = joined
        else:
            found.extend(wrap(text, FONT_SIZES[SMALL], room - 22, _MAX_SMALL))
    return found
