"""Nothing in a figure covers anything else; checked for every example."""

from __future__ import annotations

from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from diagram_reading import EXAMPLES

from modelwright import DrawOptions, load, lower
from modelwright.backends.diagram.drawing import FONT_SIZES, NAME, SMALL, Box, Drawing
from modelwright.backends.diagram.figure import figure
from modelwright.backends.diagram.text import text_width

KINDS = {
    "block": DrawOptions(),
    "module": DrawOptions(depth="module"),
    "ops": DrawOptions(depth="ops"),
    "right": DrawOptions(direction="right"),
    "right-module": DrawOptions(direction="right", depth="module"),
    "unroll-costs": DrawOptions(unroll=2, costs=True),
}
SLOW = ("ops", "right-module", "unroll-costs")
EVERY = pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param(path, kind, marks=pytest.mark.slow if kind in SLOW else pytest.mark.sampled(3))
        for kind in KINDS
        for path in EXAMPLES
    ],
    ids=lambda value: value if isinstance(value, str) else value.stem,
)
Area = tuple[float, float, float, float]


@cache
def drawn(path: Path, kind: str) -> Drawing:
    return figure(lower(load(path)), KINDS[kind])


def area(box: Box, less: float = 0.0) -> Area:
    half = box.width / 2 - less
    return box.x - half, box.bottom + less, box.x + half, box.top - less


def words(drawing: Drawing) -> list[Area]:
    found = []
    for text in drawing.texts:
        size = FONT_SIZES[text.role]
        width = text_width(text.text, size)
        left = text.x - width * (1 - text.anchor) / 2
        found.append((left, text.y - size * 0.4, left + width, text.y + size * 0.4))
    return found


def overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@EVERY
def test_boxes_and_text_do_not_overlap(path, kind):
    drawing = drawn(path, kind)
    areas = [area(box) for box in drawing.boxes] + words(drawing)
    assert [pair for pair in combinations(areas, 2) if overlap(*pair)] == []


@EVERY
def test_everything_is_on_the_page(path, kind):
    drawing = drawn(path, kind)
    areas = [area(box) for box in drawing.boxes] + words(drawing)
    areas += [(f.left, f.bottom, f.right, f.top) for f in drawing.frames]
    areas += [(x, y, x, y) for edge in drawing.edges for x, y in edge.points]
    for left, bottom, right, top in areas:
        assert 0 < left <= right < drawing.width
        assert 0 < bottom <= top < drawing.height


@EVERY
def test_edges_are_straight_and_pass_no_box(path, kind):
    drawing = drawn(path, kind)
    boxes = {box.id: box for box in drawing.boxes}
    for edge in drawing.edges:
        for (x1, y1), (x2, y2) in pairwise(edge.points):
            assert abs(x1 - x2) < 0.01 or abs(y1 - y2) < 0.01, edge
            line = (min(x1, x2), min(y1, y2), max(x1, x2) + 0.01, max(y1, y2) + 0.01)
            through = [b.id for b in boxes.values() if overlap(line, area(b, 1.0))]
            assert through == [], edge


@EVERY
def test_edges_begin_and_end_at_their_boxes(path, kind):
    drawing = drawn(path, kind)
    boxes = {box.id: box for box in drawing.boxes}
    for edge in drawing.edges:
        left, bottom, right, top = area(boxes[edge.target], -0.5)
        x, y = edge.points[-1]
        assert left <= x <= right, edge
        assert bottom <= y <= top, edge
        if edge.look in ("flow", "memory", "position") and len(edge.points) < 3:
            left, bottom, right, top = area(boxes[edge.source], -0.5)
            x, y = edge.points[0]
            assert left <= x <= right, edge


@EVERY
def test_frames_hold_their_boxes_and_words_fit(path, kind):
    drawing = drawn(path, kind)
    frames = {frame.id: frame for frame in drawing.frames}
    for box in drawing.boxes:
        for line in box.lines:
            assert text_width(line.text, FONT_SIZES[line.role]) <= max(box.width, 20), line
        if box.frame:
            frame = frames[box.frame]
            left, bottom, right, top = area(box)
            assert frame.left < left < right < frame.right
            assert frame.bottom < bottom < top < frame.top


@EVERY
def test_no_line_passes_the_words_of_a_frame(path, kind):
    drawing = drawn(path, kind)
    named = [frame for frame in drawing.frames if frame.name]
    for frame in named:
        widths = [text_width(frame.name, FONT_SIZES[NAME])]
        widths += [text_width(line, FONT_SIZES[SMALL]) for line in frame.lines]
        left = frame.left + 9 + frame.indent
        low = frame.top - 19 - 12 * len(frame.lines)
        area_of_words = (left, low, left + max(widths), frame.top - 5)
        for edge in drawing.edges:
            for (x1, y1), (x2, y2) in pairwise(edge.points):
                line = (min(x1, x2), min(y1, y2), max(x1, x2) + 0.01, max(y1, y2) + 0.01)
                assert not overlap(line, area_of_words), (frame.id, edge)
