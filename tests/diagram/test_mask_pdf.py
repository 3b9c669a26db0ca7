"""A sheet as a PDF shows the same as the SVG, with readable text."""

from __future__ import annotations

import io
import re
import struct

import pytest
from diagram_reading import FOLDER, MASKED, SMALL

from modelwright import load, loads, lower
from modelwright.backends.diagram.masks import MaskOptions, draw_mask, draw_masks
from modelwright.backends.diagram.masks.colours import PAINTS, TONES
from modelwright.backends.diagram.masks.pdf import FOLDER as FONTS
from modelwright.backends.diagram.masks.pdf import STEMS
from modelwright.backends.diagram.truetype import read_font
from modelwright.spec.masks import parse_mask

BIGBIRD = FOLDER / "bigbird_base.yaml"


def page(data: bytes):
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(data)
    assert len(document) == 1
    return document[0]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", MASKED[::4], ids=lambda path: path.stem)
def test_a_page_with_the_words_of_the_svg(path):
    graph = lower(load(path))
    svg = draw_masks(graph).decode()
    shown = page(draw_masks(graph, "pdf"))
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    assert shown.get_size() == pytest.approx((width, height), abs=0.01)
    text = "".join(shown.get_textpage().get_text_range().split())
    for words in re.findall(r">([^<]*)</text>", svg):
        assert "".join(words.replace("&amp;", "&").split()) in text


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_the_pixels_of_the_png(theme):
    """Both pictures, drawn by two libraries, are alike but for the edges of their letters."""
    numpy, image = pytest.importorskip("numpy"), pytest.importorskip("PIL.Image")
    pytest.importorskip("resvg_py")
    graph, options = lower(load(BIGBIRD)), MaskOptions(theme=theme, kernel_blocks=True)
    png = image.open(io.BytesIO(draw_masks(graph, "png", options))).convert("RGB")
    pdf = page(draw_masks(graph, "pdf", options)).render(scale=2).to_pil().convert("RGB")
    size = (min(png.width, pdf.width), min(png.height, pdf.height))
    assert abs(png.width - pdf.width) <= 2
    pixels = [numpy.asarray(one.crop((0, 0, *size)), dtype=float) for one in (png, pdf)]
    assert numpy.abs(pixels[0] - pixels[1]).mean() < 8


def test_colours_are_those_of_the_theme():
    shown = page(draw_mask(parse_mask("causal"), "pdf", MaskOptions(tokens=4, theme="light")))
    pixels = shown.render(scale=1).to_pil().convert("RGB")
    found = {"#{:02X}{:02X}{:02X}".format(*pixel) for _, pixel in pixels.getcolors(1_000_000)}
    assert {PAINTS[0].light, TONES["light"].masked} <= found


def test_the_same_bytes_twice_and_small():
    first, second = (draw_masks(lower(load(BIGBIRD)), "pdf") for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF-1.7")
    assert len(first) < 120_000


def test_every_object_is_where_the_table_says():
    data = draw_masks(lower(loads(SMALL)), "pdf")
    start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    table = data[start:].split(b"trailer")[0].splitlines()[3:]
    for number, line in enumerate(table, 1):
        assert data[int(line.split()[0]) :].startswith(b"%d 0 obj" % number)


def test_a_sign_that_the_font_lacks_is_a_question_mark():
    graph = lower(loads(SMALL))
    graph.name = "模型 (x) \\"
    shown = page(draw_masks(graph, "pdf"))
    assert "decoder" in shown.get_textpage().get_text_range()


@pytest.mark.parametrize("stem", STEMS.values())
def test_the_font_is_read(stem):
    font = read_font(FONTS / f"{stem}.ttf")
    assert font.width("", 10) == 0
    assert font.width("W", 10) > font.width("i", 10) > 0
    assert font.glyph("模") == font.glyph("?") != 0
    for sign in "←→…·×÷&|~(),:0123456789%":
        assert font.glyph(sign) != font.glyph("?"), sign
    assert struct.unpack_from(">I", font.data)[0] in (0x00010000, 0x74727565)
