"""Mark the parts of a figure that belong to a path in the spec."""

from __future__ import annotations

from collections.abc import Mapping

from .drawing import Box, Drawing, Frame

_FORMS = ("box", "pill", "circle")
"""If several parts have the same path, the largest one is marked."""


def mark(drawing: Drawing, marks: Mapping[str, str]) -> None:
    """Mark the parts of each path, see `DrawOptions.marks`. Later paths override earlier ones.

    A block is marked at its frame, a key of a part (`….attention.heads`) at the innermost enclosing
    part, and a key of a stack (`….layers`) at the frame of its layers.
    """
    for place, what in marks.items():
        for found in _found(drawing, place):
            found.mark = what


def _found(drawing: Drawing, place: str) -> list[Box | Frame]:
    """The frames or boxes of a path of the spec; empty if nothing is drawn for it."""
    frames = [frame for frame in drawing.frames if frame.spec == place]
    if frames:
        return list(frames)
    below = [box for box in drawing.boxes if box.spec and _within(box.spec, place)]
    if below:
        return list(_fullest([box for box in below if box.spec == place]) or below)
    around: list[Box | Frame] = [
        part for part in drawing.parts() if part.spec and _within(place, part.spec)
    ]
    if not around:
        return []
    deepest = max(len(part.spec) for part in around)
    around = [part for part in around if len(part.spec) == deepest]
    framed: list[Box | Frame] = [part for part in around if isinstance(part, Frame)]
    boxes = _fullest([part for part in around if isinstance(part, Box)])
    return framed or list(boxes) or _layers(drawing, around[0].spec)


def _layers(drawing: Drawing, stack: str) -> list[Box | Frame]:
    """The frames of a stack with one kind of layer."""
    blocks = f"{stack}.blocks"
    return [frame for frame in drawing.frames if not frame.parent and _within(frame.spec, blocks)]


def _within(place: str, outer: str) -> bool:
    return place == outer or place.startswith(f"{outer}.")


def _fullest(boxes: list[Box]) -> list[Box]:
    for form in _FORMS:
        found = [box for box in boxes if box.form == form]
        if found:
            return found
    return []
