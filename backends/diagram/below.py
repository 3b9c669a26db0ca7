"""The notes and the legend below a figure."""

from __future__ import annotations

from .drawing import FONT_SIZES, SMALL, Box, Drawing, Edge, Line, Text
from .palette import theme
from .placed import Placed
from .text import text_width, wrap

GAP = 18.0  # distance below the figure
ROW = 17.0
SWATCH = 22.0
LOOKS = {
    "attention": "attention",
    "feed_forward": "feed-forward",
    "norm": "normalisation",
    "embedding": "embedding",
    "linear": "linear map",
    "position": "positions and masks",
    "other": "other step",
}
LINES = {
    "residual": "residual connection",
    "memory": "output of another stack",
    "position": "input of every layer",
    "tie": "tied weights",
}


def caption(drawing: Drawing, notes: list[str]) -> None:
    """Draw notes below the figure."""
    if not notes:
        return
    left, right, y = _corner(drawing)
    lines = [line for note in notes for line in wrap(note, FONT_SIZES[SMALL], right - left, 4)]
    for index, line in enumerate(lines):
        drawing.texts.append(Text(line, left, y - 12 * index, SMALL, 1, "note"))


def legend(drawing: Drawing) -> None:
    """Draw a legend of the colours and lines that occur in the figure."""
    looks = {part.look for part in drawing.parts() if getattr(part, "form", "box") != "text"}
    edges = {edge.look for edge in drawing.edges}
    colours = theme(drawing.theme).looks
    alike = [colours["other"]] if drawing.theme == "print" else []  # white boxes have no meaning
    wanted = [
        (look, word, True)
        for look, word in LOOKS.items()
        if look in looks and colours[look] not in alike
    ]
    wanted += [(look, word, False) for look, word in LINES.items() if look in edges]
    left, right, y = _corner(drawing)
    x = left
    for look, word, filled in wanted:
        width = text_width(word, FONT_SIZES[SMALL]) + 4
        if x > left and x + SWATCH + 6 + width > right:
            x, y = left, y - ROW
        _sample(drawing, look, word, x, y, filled=filled)
        x += SWATCH + 6 + width + 14


def _sample(drawing: Drawing, look: str, word: str, x: float, y: float, *, filled: bool) -> None:
    key = f"legend.{'part' if filled else 'line'}.{look}"
    width = text_width(word, FONT_SIZES[SMALL]) + 4
    middle = x + SWATCH + 6 + width / 2
    line = Line(word, SMALL)
    drawing.boxes.append(Box(key, "text", "text", middle, y, width, 12, [line], "legend", word))
    if filled:
        box = Box(f"{key}.sample", look, "pill", x + SWATCH / 2, y, SWATCH, 11, [], "legend", word)
        drawing.boxes.append(box)
    else:
        points = [(x, y), (x + SWATCH, y)]
        drawing.edges.append(Edge(key, key, points, look, arrow=look != "tie"))


def _corner(drawing: Drawing) -> tuple[float, float, float]:
    """Left and right end of the figure, and height of the first line below it."""
    whole = Placed(drawing.boxes, drawing.frames, drawing.edges, drawing.texts)
    left, right = whole.extent()
    return left, right, whole.height()[0] - GAP
