"""Marked parts of a figure, and their paths in the spec."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from diagram_reading import FOLDER, box

from modelwright import load, lower
from modelwright.backends.diagram import FORMATS, DrawError, DrawOptions, draw
from modelwright.backends.diagram.figure import figure

SVG = "{http://www.w3.org/2000/svg}"
LOCAL = "stacks.decoder.blocks.local"


@pytest.fixture(scope="module")
def gemma():
    return lower(load(FOLDER / "gemma2_2b.yaml"))


def marked(gemma, place: str) -> list[tuple[str, str]]:
    drawing = figure(gemma, DrawOptions(marks={place: "changed"}))
    return [(part.id, part.mark) for part in (*drawing.frames, *drawing.boxes) if part.mark]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (f"{LOCAL}.attention.heads", ["layers.local.attention"]),
        (f"{LOCAL}.attention", ["layers.local.attention"]),
        (f"{LOCAL}.feed_forward.d_ff", ["layers.local.feed_forward"]),
        (LOCAL, ["layers.local.frame"]),
        ("stacks.decoder.layers", ["layers.frame"]),
        ("stacks.decoder.order", ["layers.frame"]),
        ("stacks.decoder.norm.eps", ["norm"]),
        ("heads.head.tied", ["head"]),
        ("tokens.pad", []),
    ],
)
def test_a_place_in_the_spec_marks_the_part_that_it_belongs_to(gemma, place, expected):
    assert marked(gemma, place) == [(key, "changed") for key in expected]


@pytest.mark.parametrize(
    ("depth", "expected"), [("block", "layers.block.frame"), ("stack", "layers")]
)
def test_how_many_layers_there_are_is_a_key_of_their_frame(depth, expected):
    options = DrawOptions(marks={"stacks.decoder.layers": "changed"}, depth=depth)
    drawing = figure(lower(load(FOLDER / "gpt2.yaml")), options)
    assert [part.id for part in drawing.parts() if part.mark] == [expected]


def test_norms_are_marked_where_only_they_changed(gemma):
    found = [key for key, _ in marked(gemma, f"{LOCAL}.attention.norm.eps")]
    assert found == ["layers.local.attention_norm", "layers.local.attention_output_norm"]


def test_a_mark_is_a_class_an_outline_and_a_sign(gemma):
    options = DrawOptions(marks={f"{LOCAL}.attention.heads": "changed", "heads.head": "added"})
    root = ET.fromstring(draw(gemma, "svg", options))
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    group = groups["n-layers-local-attention"]
    assert group.get("class") == "node attention marked changed"
    assert [each.get("class") for each in group.findall(f"{SVG}rect")] == [None, "outline"]
    assert [each.text for each in group.findall(f"{SVG}text")][-1] == "≠"
    assert groups["n-head"].get("class") == "node linear marked added"


@pytest.mark.parametrize("format", FORMATS)
def test_marks_are_drawn_in_every_format(gemma, format):
    place = f"{LOCAL}.attention.heads"
    drawn = [draw(gemma, format, DrawOptions(marks=m)) for m in ({}, {place: "removed"})]
    assert drawn[0] != drawn[1]


def test_an_unknown_mark_is_refused():
    expected = "unknown mark `odd`; expected one of: added, changed, removed"
    with pytest.raises(DrawError, match=expected):
        DrawOptions(marks={"heads": "odd"})


def test_parts_say_where_the_spec_asks_for_them(gemma):
    drawing = figure(gemma)
    assert box(drawing, "layers.local.attention").spec == f"{LOCAL}.attention"
    assert box(drawing, "layers.local.attention").source == "gemma2_2b.yaml:14"
    assert [frame.source for frame in drawing.frames][1:] == [
        "gemma2_2b.yaml:17",
        "gemma2_2b.yaml:18",
    ]
    text = draw(gemma).decode()
    assert f'data-spec="{LOCAL}.attention" data-source="gemma2_2b.yaml:14"' in text
