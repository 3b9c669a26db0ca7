"""Which parts of a figure a place in the spec belongs to, to point them out."""

from __future__ import annotations

from collections.abc import Mapping

from .drawing import Box, Drawing, Frame

_FORMS = ("box", "pill", "circle")
"""Of parts that stand at the same place of the spec, the fullest is the one that is meant."""


def mark(drawing: Drawing, marks: Mapping[str, str]) -> None:
    """Mark each part that a place belongs to: see `DrawOptions.marks`. Later places win.

    A whole block is its frame. A key of a part (`….attention.heads`) is the part that stands
    deepest on the way to it; the keys of a stack (`….layers`) are the frame of its layers.
    """
    for place, what in marks.items():
        for found in _found(drawing, place):
            found.mark = what


def _found(drawing: Drawing, place: str) -> list[Box | Frame]:
    """The frames or boxes that stand for a place of the spec; none for one that nothing draws."""
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
    """The frames of a stack whose layers have none around them all: they are of one kind."""
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
