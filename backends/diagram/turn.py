"""Rotate a vertical figure to a horizontal one."""

from __future__ import annotations

from .drawing import Drawing


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
