"""Rotate a vertical figure to a horizontal one."""

from __future__ import annotations

from itertools import pairwise

from .drawing import FONT_SIZES, NAME, SMALL, Drawing, Edge, Frame
from .text import text_width

WORDS_LEFT = 9.0  # the words of a frame begin this far from its left edge
CLEAR = 8.0  # room between a line and words


def turn(drawing: Drawing) -> None:
    """Rotate: upwards becomes rightwards, left becomes above."""
    for box in drawing.boxes:
        box.x, box.y = box.y, -box.x
        box.width, box.height = box.height, box.width
    for frame in drawing.frames:
        frame.left, frame.bottom, frame.right, frame.top = (
            frame.bottom,
            -frame.right,
            frame.top,
            -frame.left,
        )
    for edge in drawing.edges:
        edge.points = [(y, -x) for x, y in edge.points]
    for text in drawing.texts:
        text.x, text.y = text.y, -text.x
    for frame in drawing.frames:
        if frame.name:
            _move_words(frame, drawing.edges)


def _move_words(frame: Frame, edges: list[Edge]) -> None:
    """Indent the text of a frame so that lines that enter it from above do not cross it."""
    sizes = [(frame.name, FONT_SIZES[NAME]), *((line, FONT_SIZES[SMALL]) for line in frame.lines)]
    wide = max(text_width(text, size) for text, size in sizes)
    low = frame.top - 19 - 12 * len(frame.lines)
    for x in sorted(_crossings(low, frame.top, edges)):
        left = frame.left + WORDS_LEFT + frame.indent
        if left - CLEAR < x < left + wide and x + CLEAR + wide < frame.right:
            frame.indent = x + CLEAR - frame.left - WORDS_LEFT


def _crossings(low: float, high: float, edges: list[Edge]) -> list[float]:
    """Where vertical lines cross this band of heights."""
    return [
        x1
        for edge in edges
        for (x1, y1), (x2, y2) in pairwise(edge.points)
        if abs(x1 - x2) < 0.01 and min(y1, y2) < high and max(y1, y2) > low
    ]
