"""Rendered figures: the text of every box is in the file, in a font, and inside its box."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from diagram_reading import EXAMPLES, FOLDER

from modelwright import DrawOptions, draw, load, lower
from modelwright.backends.diagram.drawing import FONT_SIZES, Drawing
from modelwright.backends.diagram.figure import figure
from modelwright.backends.diagram.palette import DARK
from modelwright.backends.diagram.raster import rasterize

pdfium = pytest.importorskip("pypdfium2")
Image = pytest.importorskip("PIL.Image")

SVG = "{http://www.w3.org/2000/svg}"
DOTS = 2.0  # of a PNG, for each point
QUICK = {("gpt2", "block"), ("t5_small", "block"), ("gpt2", "module"), ("gpt2", "right")}
KINDS = {
    "block": DrawOptions(theme="light"),
    "module": DrawOptions(theme="light", depth="module"),
    "right": DrawOptions(theme="light", direction="right", costs=True, legend=True),
}
EVERY = pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param(path, kind, marks=[] if (path.stem, kind) in QUICK else [pytest.mark.slow])
        for path in EXAMPLES
        for kind in KINDS
    ],
    ids=lambda value: value if isinstance(value, str) else value.stem,
)


@cache
def graph_of(path: Path):
    return lower(load(path))


def rendered(path: Path, kind: str, format: str) -> tuple[Drawing, bytes]:
    graph = graph_of(path)
    return figure(graph, KINDS[kind]), draw(graph, format, KINDS[kind])


def letters(text: str) -> str:
    return re.sub(r"\s", "", text)


@EVERY
def test_the_text_of_a_pdf_is_inside_its_boxes(path, kind):
    drawing, pdf = rendered(path, kind, "pdf")
    page = pdfium.PdfDocument(pdf)[0].get_textpage()
    for box in drawing.boxes:
        left, right = box.x - box.width / 2, box.x + box.width / 2
        area = (left - 1, box.bottom - 1, right + 1, box.top + 1)
        found = letters(page.get_text_bounded(*area))
        wanted = letters("".join(line.text for line in box.lines))
        assert found == wanted, (box.id, found)


@EVERY
def test_the_fonts_of_a_pdf_are_in_it(path, kind):
    fonts = set(re.findall(rb"/FontName /\w+\+([\w-]+)", rendered(path, kind, "pdf")[1]))
    assert fonts <= {b"FigureSans-Regular", b"FigureSans-Bold"}
    assert b"FigureSans-Regular" in fonts


@EVERY
def test_the_words_of_a_png_are_drawn_in_their_boxes(path, kind):
    drawing, png = rendered(path, kind, "png")
    bare = rasterize(re.sub(rb"<text.*?</text>", b"", draw(graph_of(path), "svg", KINDS[kind])))
    images = [
        np.asarray(Image.open(io.BytesIO(each)).convert("L"), dtype=int) for each in (png, bare)
    ]
    ink = np.abs(images[0] - images[1]) > 40
    for box in drawing.boxes:
        left, right = (box.x - box.width / 2) * DOTS, (box.x + box.width / 2) * DOTS
        low, high = (drawing.height - box.top) * DOTS, (drawing.height - box.bottom) * DOTS
        inside = ink[int(low) : int(high) + 1, int(left) : int(right) + 1]
        count = sum(len(letters(line.text)) for line in box.lines)
        assert inside.sum() >= 8 * count, (box.id, inside.sum())
        ink[int(low) : int(high) + 1, int(left) - 8 : int(right) + 9] = False
    free = [*drawing.texts, *(frame for frame in drawing.frames if frame.name)]
    assert bool(ink.any()) == bool(free), "words outside of all boxes"


MARKS = {
    "stacks.decoder.blocks.local.attention.heads": "changed",
    "stacks.decoder.blocks.global": "removed",
    "stacks.decoder.norm": "removed",
    "heads.head": "added",
}


@pytest.mark.parametrize("name", ["gemma2_2b", "t5_small"])
@pytest.mark.parametrize("depth", ["block", pytest.param("module", marks=pytest.mark.slow)])
def test_a_dark_page_shows_the_dark_theme(name, depth):
    graph = graph_of(FOLDER / f"{name}.yaml")
    options = DrawOptions(depth=depth, marks=MARKS, legend=True)
    auto = draw(graph, "svg", options).decode()
    css = auto[auto.index("<style>") + len("<style>") : auto.index("</style>")]
    inside = re.fullmatch(r"\s*@media \(prefers-color-scheme:\s?dark\)\s*\{(.*)\}\s*", css, re.S)
    assert inside is not None
    page = f'<rect width="100%" height="100%" fill="{DARK.page}"/>'
    dark = auto.replace(css, inside[1]).replace("</style>", f"</style>{page}")
    pictures = [rasterize(dark.encode()), draw(graph, "png", replace(options, theme="dark"))]
    one, other = (np.asarray(Image.open(io.BytesIO(p)).convert("RGB"), int) for p in pictures)
    assert (np.abs(one - other).max(axis=2) > 30).sum() < 20


@EVERY
def test_the_words_of_an_svg_are_those_of_the_figure(path, kind):
    drawing, svg = rendered(path, kind, "svg")
    root = ET.fromstring(svg)
    found = sorted(text.text or "" for text in root.iter(f"{SVG}text"))
    wanted = [line.text for box in drawing.boxes for line in box.lines]
    wanted += [text.text for text in drawing.texts]
    wanted += [
        text for frame in drawing.frames if frame.name for text in (frame.name, *frame.lines)
    ]
    assert found == sorted(wanted)
    sizes = {float(text.get("font-size", "0")) for text in root.iter(f"{SVG}text")}
    assert sizes <= set(FONT_SIZES.values())
