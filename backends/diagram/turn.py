"""A figure that runs to the right: what was placed from the bottom to the top, turned."""

from __future__ import annotations

from .drawing import Drawing


def turn(drawing: Drawing) -> None:
    """The way along becomes the way to the right; what stood left of it stands above it."""
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
