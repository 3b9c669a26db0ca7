"""Two figures side by side, with the differences marked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from diagram_reading import EXAMPLES, FOLDER, SMALL

from modelwright import difference, load, loads, lower
from modelwright.backends.diagram import DrawError, DrawOptions, draw
from modelwright.backends.diagram.compare import draw_difference, marks
from modelwright.backends.diagram.embed import embedded, written
from modelwright.backends.diagram.figure import figure
from modelwright.compiler.difference import by_cause

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("before.yaml", "after.yaml")


def marked(*sets: str) -> list[dict[str, str]]:
    """The parts that are marked in either figure, by their title, with their mark."""
    compared = difference(loads(SMALL), loads(SMALL, sets=sets), NAMES)
    figures = ET.fromstring(draw_difference(compared)).findall(f"{SVG}svg")
    found: list[dict[str, str]] = []
    for each in figures:
        groups = [g for g in each.iter(f"{SVG}g") if "marked" in g.get("class", "")]
        found.append({g.get("data-spec", ""): g.get("class", "").split()[-1] for g in groups})
    return found


def test_changes_are_marked_in_both_figures():
    before, after = marked("attention.kv_heads=2")
    assert before == after == {"stacks.decoder.blocks.block.attention": "changed"}


def test_additions_are_marked_in_the_second_figure_only():
    before, after = marked("positions=rotary")
    assert "added" not in before.values()
    assert [kind for spec, kind in after.items() if "positions" in spec] == ["added"]


def test_equal_models_have_no_mark():
    assert marked() == [{}, {}]


def test_the_keys_of_a_new_part_are_no_marks_of_their_own():
    other = loads(SMALL, sets=["positions={type: rotary, theta: 9}"])
    causes = by_cause(loads(SMALL), other)
    found = marks(causes, figure(lower(other)), after=True)
    assert set(found.values()) == {"added"}
    assert not [place for place in found if place.endswith("theta")]
    assert marks(causes, figure(lower(loads(SMALL))), after=False) == {}


def test_what_arrives_in_boxes_is_marked_there_and_not_around_them():
    before, after = marked("dropout=0.2")
    assert (
        before
        == after
        == {
            "stacks.decoder.input.0": "changed",
            "stacks.decoder.blocks.block.attention": "changed",
        }
    )
    before, after = marked("layers=9")
    assert before == after == {"stacks.decoder.blocks.block": "changed"}


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "print"])
def test_ids_are_distinct_and_styles_apart(theme):
    specs = load(FOLDER / "t5_small.yaml"), load(FOLDER / "bart_base.yaml")
    compared, back = difference(*specs, NAMES), difference(*specs[::-1], NAMES)
    data = draw_difference(compared, options=DrawOptions(theme=theme))
    root = ET.fromstring(data)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert set((element.get("aria-labelledby") or "").split()) <= set(ids)
    other = ET.fromstring(draw_difference(back, options=DrawOptions(theme=theme)))
    assert not set(ids) & {element.get("id") for element in other.iter() if element.get("id")}
    for style in root.iter(f"{SVG}style"):
        rules = re.findall(r"([^{}]+)\{[^{}]*\}", (style.text or "").partition("{")[2])
        assert all(f"#{root.get('id')}" in one for rule in rules for one in rule.split(","))
    assert "stacks.encoder.d_model: 512 and 768" in (root.findtext(f"{SVG}desc") or "")
    left, right = root.findall(f"{SVG}svg")
    assert float(right.get("x", 0)) >= float(left.get("width", 0))
    assert data == draw_difference(compared, options=DrawOptions(theme=theme))


def test_a_png_and_no_pdf():
    compared = difference(loads(SMALL), loads(SMALL, sets=["layers=8"]), NAMES)
    pytest.importorskip("resvg_py")
    assert draw_difference(compared, "png").startswith(b"\x89PNG")
    with pytest.raises(DrawError, match="unknown format `pdf`; expected one of: svg, png"):
        draw_difference(compared, "pdf")


def test_names_are_escaped_and_shortened():
    name = 'a<b>&"c"' + "long" * 90
    root = ET.fromstring(draw_difference(difference(loads(SMALL), loads(SMALL), (name, "b"))))
    assert (root.findtext(f"{SVG}title") or "").startswith('a<b>&"c"')
    (shown,) = [t.text or "" for t in root.findall(f"{SVG}text") if "a<b>" in (t.text or "")]
    assert shown.endswith("…")


@pytest.mark.parametrize("path", EXAMPLES[::6], ids=lambda path: path.stem)
def test_an_embedded_figure_keeps_its_ids_and_rules_to_itself(path):
    svg = draw(lower(load(path)))
    text = written(embedded(svg, "mine")).decode()
    assert all(
        one == "mine" or one.startswith("mine-") for one in re.findall(r' id="([^"]*)"', text)
    )
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    selectors = re.findall(
        r"([^{}@]+)\{[^{}]*\}", style.replace("@media (prefers-color-scheme:dark){", "")
    )
    assert selectors
    for one in ",".join(selectors).replace("&gt;", ">").split(","):
        assert one.startswith("#mine "), one
    assert len(re.findall("<g ", text)) == svg.decode().count("<g ")
