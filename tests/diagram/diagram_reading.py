"""Specs to draw, and helpers that read a drawing, shared by several tests."""

from __future__ import annotations

from pathlib import Path

from modelwright import load, loads, lower
from modelwright.backends.diagram.drawing import Box, Drawing
from modelwright.backends.diagram.figure import figure

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
MASKED = [path for path in EXAMPLES if path.stem not in ("rnnsearch", "tiny_fastformer")]
"""Those in which a query asks each key by itself."""
SMALL = """
name: small
family: decoder-only
vocab_size: 100
d_model: 64
layers: 4
attention: {heads: 4}
head: {type: language_model}
"""


def example(name: str) -> Drawing:
    """The figure of an example."""
    return figure(lower(load(FOLDER / f"{name}.yaml")))


def small(keys: str = "", *sets: str) -> Drawing:
    """The figure of a small decoder with more keys, and with others set."""
    return figure(lower(loads(SMALL + keys, sets=sets)))


def names(drawing: Drawing, frame: str = "") -> list[str]:
    """The titles of the boxes of a frame (by the end of its path), from the bottom to the top."""
    found = [box for box in drawing.boxes if box.frame.endswith(frame)]
    return [box.lines[0].text for box in sorted(found, key=lambda box: (box.y, box.x))]


def box(drawing: Drawing, path: str) -> Box:
    return next(box for box in drawing.boxes if box.path == path)


def links(drawing: Drawing, look: str) -> list[tuple[str, str]]:
    """The edges of one look, as titles."""
    title = {box.id: box.lines[0].text for box in drawing.boxes}
    return [(title[e.source], title[e.target]) for e in drawing.edges if e.look == look]
