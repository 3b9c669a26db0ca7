"""Figures of stacks with several streams: a column for each, and lines between them."""

from __future__ import annotations

from itertools import combinations

import pytest
import yaml
from diagram_reading import example
from test_diagram_layout import area, overlap, words

from modelwright import DrawOptions, loads, lower
from modelwright.backends.diagram.drawing import Drawing, Edge
from modelwright.backends.diagram.figure import figure

UPDATES = [
    {"type": "mha", "stream": "msa", "axis": 1, "heads": 2, "head_dim": 4},
    {"type": "mlp", "stream": "msa", "d_ff": 16},
    {"type": "outer_product_mean", "stream": "pair", "source": "msa", "hidden": 4},
    {"type": "triangle_multiplication", "stream": "pair", "hidden": 4, "direction": "outgoing"},
    {"type": "outer_product_mean", "stream": "third", "source": "msa", "hidden": 4},
    {"type": "mlp", "stream": "third", "d_ff": 8},
]
BIAS = {"score_bias": [{"type": "linear", "stream": "pair"}]}


def spec(order: str, bias: bool = False, **keys: object) -> dict[str, object]:
    """A stack with the sublayers of these indices, and those streams that they update."""
    parts = [dict(UPDATES[int(index)]) for index in order]
    for part in parts:
        part |= BIAS if bias and part["type"] == "mha" else {}
    axes = {"msa": ["sequence", "residue"], "pair": ["residue"] * 2, "third": ["residue"] * 2}
    streams = {
        name: {"d_model": 8, "axes": axes[name], "input": {"type": "features", "argument": name}}
        for name in axes
        if any(part["stream"] == name for part in parts)
    }
    stack = {"streams": streams, "sublayers": parts, **keys}
    return {"name": "several", "layers": 3, "stacks": {"trunk": stack}}


def drawn(document: dict[str, object], **options: object) -> Drawing:
    return figure(lower(loads(yaml.safe_dump(document))), DrawOptions(**options))


def crossed(edge: Edge, drawing: Drawing) -> list[str]:
    """The boxes that a line runs through, except those at its ends."""
    found = []
    for box in drawing.boxes:
        if box.id in (edge.source, edge.target):
            continue
        left, bottom, right, top = area(box, 1.0)
        for (x0, y0), (x1, y1) in zip(edge.points, edge.points[1:], strict=False):
            low, high = sorted((x0, x1)), sorted((y0, y1))
            if low[0] < right and low[1] > left and high[0] < top and high[1] > bottom:
                found.append(box.id)
    return found


def test_each_stream_of_the_evoformer_has_a_column():
    drawing = example("evoformer")
    spine = {box.x for box in drawing.boxes}
    assert len(spine) == 2
    left, right = sorted(spine)
    in_msa = [
        box.lines[0].text for box in sorted(drawing.boxes, key=lambda b: b.y) if box.x == left
    ]
    assert in_msa == [
        "msa",
        *("LayerNorm", "Multi-head attention", "+") * 2,
        *("LayerNorm", "Feed-forward", "+"),
        "msa",
    ]
    in_pair = [b.lines[0].text for b in sorted(drawing.boxes, key=lambda b: b.y) if b.x == right]
    assert in_pair[:4] == ["pair", "LayerNorm", "Outer product mean", "+"]
    assert in_pair[-3:] == ["Feed-forward", "+", "pair"]
    assert len(in_pair) == 2 + 3 * 6
    (frame,) = drawing.frames
    assert frame.left < left < right < frame.right
    assert frame.count == "48×"


def test_lines_between_the_streams_of_the_evoformer():
    drawing = example("evoformer")
    boxes = {box.id: box for box in drawing.boxes}
    found = [
        (boxes[edge.source].lines[0].text, edge.target)
        for edge in drawing.edges
        if edge.look == "memory"
    ]
    assert found == [
        ("pair", "layers.block.attention1"),
        ("+", "layers.block.outer_product_mean_norm"),
    ]


ORDERS = ["0123", "2301", "023", "0213", "012345", "402", "0415", "20", "420", "450"]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("direction", ["up", "right"])
@pytest.mark.parametrize("depth", ["block", "module", "ops"])
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("order", ORDERS)
def test_streams_in_any_order(order, bias, depth, direction):
    bias = bias and bool(set("23") & set(order))  # it reads the second stream
    drawing = drawn(spec(order, bias), depth=depth, direction=direction)
    areas = [area(box) for box in drawing.boxes] + words(drawing)
    if direction == "up":
        assert [pair for pair in combinations(areas, 2) if overlap(*pair)] == []
        assert {e.target: b for e in drawing.edges if (b := crossed(e, drawing))} == {}
        leaves = {(e.source, e.points[0][1]) for e in drawing.edges if e.look == "memory"}
        assert len({height for _, height in leaves}) == len(leaves), "two lines at one height"
    known = {box.id for box in drawing.boxes}
    assert all(edge.source in known and edge.target in known for edge in drawing.edges)
