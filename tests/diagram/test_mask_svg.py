"""A sheet of masks as a file: well formed, escaped, reproducible, fast, with distinct colours."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from diagram_reading import FOLDER, MASKED, SMALL
from fuzz.work import within

from modelwright import load, loads, lower
from modelwright.backends.diagram import DrawError
from modelwright.backends.diagram.masks import MaskOptions, draw_mask, draw_masks
from modelwright.backends.diagram.masks.colours import PAINTS, TONES
from modelwright.backends.diagram.masks.panel import panel
from modelwright.backends.diagram.masks.scale import Scale
from modelwright.backends.diagram.masks.seen import Seen
from modelwright.backends.diagram.masks.sheet import SIDE, lay_out, lines_of
from modelwright.backends.diagram.masks.svg import svg
from modelwright.backends.diagram.text import text_width
from modelwright.compiler.formula import parse_formula

SVG = "{http://www.w3.org/2000/svg}"
LITTLE = 25
"""Loops of `fuzz.work` whose CPU time a figure of masks may take."""
BIGBIRD = FOLDER / "bigbird_base.yaml"


def root(data: bytes) -> ET.Element:
    return ET.fromstring(data)


def cells(path: ET.Element) -> int:
    """The squares of a path: those that are not holes."""
    return len(re.findall(r"M[-\d.]+ [-\d.]+h", path.get("d", "")))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", MASKED, ids=lambda path: path.stem)
def test_every_example_is_drawn_quickly_with_its_title(path):
    graph = lower(load(path))
    data = within(LITTLE, lambda: draw_masks(graph))
    assert data == draw_masks(lower(load(path)))
    figure = root(data)
    assert figure.get("role") == "img"
    assert figure.findtext(f"{SVG}title") == f"{graph.name}: masks"
    labels = (figure.get("aria-labelledby") or "").split()
    ids = [element.get("id") for element in figure.iter() if element.get("id")]
    assert set(labels) <= set(ids)
    assert len(ids) == len(set(ids))


def test_every_atom_of_a_panel_is_one_path():
    figure = root(draw_masks(lower(load(BIGBIRD))))
    panel = next(group for group in figure.findall(f"{SVG}g") if group.get("class") == "panel")
    paths = panel.findall(f"{SVG}path")
    assert [(path.get("class"), path.findtext(f"{SVG}title")) for path in paths] == [
        ("masked", None),
        ("on local", "blocks(64, 1)"),
        ("on global", "global(0:64)"),
        ("on global", "global(-64:)"),
        ("on random", "random(64, 3, 0)"),
    ]
    assert sum(map(cells, paths)) == 40 * 40
    assert panel.get("data-spec") == "stacks.encoder.blocks.block.mask"
    file, _, line = (panel.get("data-source") or "").partition(":")
    assert file == BIGBIRD.name
    assert BIGBIRD.read_text(encoding="utf-8").splitlines()[int(line) - 1].startswith("mask: ")


def test_many_tokens_are_drawn_as_few_rectangles():
    data = draw_mask(parse_formula("causal"), options=MaskOptions(tokens=512))
    assert len(data) < 60_000
    assert 'class="on local"' in data.decode()


def test_a_mask_of_no_model_has_no_place_in_one() -> None:
    text = draw_mask(parse_formula("causal"), options=MaskOptions(tokens=8)).decode()
    assert "1 layer" not in text
    assert "drawn: 36 of 64" in text


def test_two_figures_can_stand_in_one_page():
    """No id of one is an id of the other, and no rule of style reaches the other."""
    first, second = (
        draw_mask(parse_formula(text)).decode() for text in ("causal", "causal & window(4)")
    )
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert not ids[0] & ids[1]
    (style,) = re.findall(r"<style>@media[^{]*\{(.*)\}</style>", first)
    (name,) = re.findall(r'<svg[^>]* id="([^"]+)"', first)
    rules = [rule for rule in style.split("}") if rule]
    assert len(rules) > 5
    assert all(rule.startswith(f"#{name} ") and "," not in rule for rule in rules)


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "print"])
def test_themes(theme):
    data = draw_masks(lower(load(BIGBIRD)), options=MaskOptions(theme=theme)).decode()
    assert ("prefers-color-scheme" in data) == (theme == "auto")
    assert ('class="page"' in data) == (theme != "auto")
    assert (PAINTS[0].dark in data) == (theme in ("auto", "dark"))


def lightness(colour: str) -> float:
    """CIE L* of a colour."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * luminance ** (1 / 3) - 16


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_greys_and_holes_distinguish_the_kinds_of_cells(theme):
    which = {"light": 1, "dark": 2, "print": 3}[theme]
    masked = lightness(TONES[theme].masked)
    for paint in PAINTS:
        assert abs(lightness(paint[which]) - masked) > 25, paint.name
    for one, other in itertools.combinations(PAINTS, 2):
        assert one.hole != other.hole
    assert abs(lightness(TONES[theme].padding) - masked) > 15
    assert abs(lightness(TONES[theme].wasted) - masked) > 8


def test_holes_are_left_out_where_cells_are_tiny():
    for tokens, holes in ((20, True), (100, False)):
        options = MaskOptions(tokens=tokens, factor=1)
        figure = root(draw_mask(parse_formula("causal | global(2)"), options=options))
        path = next(p for p in figure.iter(f"{SVG}path") if p.get("class") == "on global")
        assert (path.get("d", "").count("M") > cells(path)) == holes


NASTY = 'a<b>&"quoted" \x07 模型 ' + "long" * 60


def test_every_text_is_escaped_and_short_enough():
    graph = lower(loads(SMALL))
    graph.name = NASTY
    figure = root(draw_masks(graph))
    assert (figure.findtext(f"{SVG}title") or "").startswith('a<b>&"quoted"')
    assert all(sign.isprintable() or sign == "\n" for text in figure.itertext() for sign in text)


def test_lines_are_short_and_break_no_atom():
    text = "blocks(64, 1) | global(0:64) | global(-64:) | random(64, 3, 0)"
    lines = lines_of(text, 14.0, SIDE)
    assert lines == ["blocks(64, 1) | global(0:64) |", "global(-64:) | random(64, 3, 0)"]
    for line in lines_of(NASTY, 14.0, SIDE):
        assert text_width(line, 14.0) <= SIDE


def test_text_stays_inside_the_sheet():
    for path in MASKED:
        figure = root(draw_masks(lower(load(path))))
        width = float((figure.get("viewBox") or "").split()[2])
        for words in figure.iter(f"{SVG}text"):
            if words.get("transform"):
                continue
            size = float(words.get("font-size", 0)) * (1.1 if words.get("font-weight") else 1)
            wide = text_width(words.text or "", size)
            left = float(words.get("x", 0)) - (words.get("text-anchor") == "middle") * wide / 2
            assert left > 0, (path.stem, words.text)
            assert left + wide < width, (path.stem, words.text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "neon"}, "unknown theme `neon`"),
        ({"tokens": 0}, "tokens must be from 1 to 512, not 0"),
        ({"tokens": 513}, "tokens must be from 1 to 512, not 513"),
        ({"factor": 0}, "factor must be at least 1, not 0"),
        ({"padding": -1}, "padding must be at least 0, not -1"),
    ],
)
def test_drawing_errors_are_reported(options, message):
    with pytest.raises(DrawError, match=re.escape(message)):
        MaskOptions(**options)


def test_another_format_is_refused():
    with pytest.raises(DrawError, match="unknown format `gif`"):
        draw_masks(lower(loads(SMALL)), "gif")


def test_a_model_without_attention_has_no_masks():
    spec = loads(SMALL.replace("attention: {heads: 4}", "attention: none"))
    with pytest.raises(DrawError, match="small has no attention scores"):
        draw_masks(lower(spec))


def test_a_mask_that_allows_nothing_is_drawn_as_masked():
    seen = Seen(parse_formula("causal & ~causal"), "decoder", "", None, 64, 1, layers=1)
    data = svg(lay_out("nothing", [panel(seen, Scale(8, 1))], [])).decode()
    assert 'class="on' not in data
    assert "0 of 64" in data
