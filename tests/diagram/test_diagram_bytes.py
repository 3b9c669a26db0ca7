"""Output of `draw`: every format, reproducible bytes, and escaped names."""

from __future__ import annotations

import builtins
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest
from diagram_reading import EXAMPLES, small
from fuzz.work import within

from modelwright import SpecErrors, load, loads, lower
from modelwright.backends.diagram import DEPTHS, DrawError, DrawOptions, draw, engine
from modelwright.backends.diagram.drawing import FONT_SIZES, NAME, Box, Drawing, Line
from modelwright.backends.diagram.figure import figure
from modelwright.backends.diagram.mermaid import mermaid
from modelwright.backends.diagram.svg import svg
from modelwright.backends.diagram.text import text_width

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "a<b>&\"quoted\" 'x' ]]> --> {{}} \\N \x00\x1b\ud800 $(rm) `x` ; | #"
LITTLE = 25
"""Loops of `fuzz.work` whose CPU time a figure may take."""


@pytest.fixture
def gpt2(examples):
    return lower(load(examples / "gpt2.yaml"))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_drawn_with_a_group_for_each_part(path):
    graph = lower(load(path))
    root = ET.fromstring(draw(graph))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == graph.name
    groups = root.findall(f"{SVG}g")
    ids = [group.get("id") for group in groups]
    assert len(set(ids)) == len(ids)
    assert all(group.get("class") and group.findtext(f"{SVG}title") for group in groups)
    paths = {group.get("data-path") for group in groups}
    assert {scope.path for scope in graph.scopes.values() if scope.role == "block"} <= paths
    ends = {edge.source for edge in figure(graph).edges} | {e.target for e in figure(graph).edges}
    assert ends <= {box.id for box in figure(graph).boxes}


def test_ids_follow_the_scope_path(gpt2):
    text = draw(gpt2).decode()
    assert 'id="n-layers-block-attention" data-path="layers.block.attention"' in text
    assert 'class="node attention"' in text


@pytest.mark.parametrize("format", ["svg", "png", "pdf", "dot", "mmd"])
def test_the_same_bytes_twice(examples, format):
    path = examples / "tiny_t5.yaml"
    first = draw(lower(load(path)), format)
    assert len(first) > 500
    if format == "pdf":
        time.sleep(1.1)  # a date of writing would differ
    assert draw(lower(load(path)), format) == first


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_bytes_in_another_process(examples, seed):
    path = examples / "gemma2_2b.yaml"
    program = (
        "import sys, modelwright as mw; graph = mw.lower(mw.load(sys.argv[1]))\n"
        "sys.stdout.buffer.write(mw.draw(graph)); sys.stdout.buffer.write(mw.draw(graph, 'dot'))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'not needed for a figure'"
    )
    command = [sys.executable, "-c", program, str(path)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    graph = lower(load(path))
    assert done.stdout == draw(graph) + draw(graph, "dot")


def test_png_and_pdf_are_what_they_say(gpt2):
    png, pdf = draw(gpt2, "png"), draw(gpt2, "pdf")
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")
    assert b"%%EOF" in pdf[-64:]
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
    drawing = figure(gpt2)
    assert width == pytest.approx(drawing.width * 2, abs=60)
    assert height == pytest.approx(drawing.height * 2, abs=60)


def test_dot_can_be_read_and_laid_out_anew(gpt2):
    pygraphviz = pytest.importorskip("pygraphviz")
    graph = pygraphviz.AGraph(string=draw(gpt2, "dot").decode())
    assert graph.get_node("n-layers-block-attention").attr["class"] == "node attention"
    clusters = [cluster.name for cluster in graph.subgraphs()]
    assert clusters == ["cluster_n-layers-block-frame"]
    with engine.own_fonts():  # fontconfig reads its settings once in a process
        assert graph.draw(format="svg", prog="dot").count(b"<g ") > 20


def test_a_thousand_layers_are_drawn_like_two():
    text = (
        "{{name: deep, family: decoder-only, vocab_size: 10, d_model: 8, layers: {},"
        " attention: {{heads: 2}}}}"
    )
    deep, flat = (lower(loads(text.format(layers))) for layers in (1000, 2))
    within(LITTLE, lambda: draw(deep))
    drawn = draw(deep).decode()
    assert "1000×" in drawn
    assert drawn.replace("1000×", "2×").count("\n") == draw(flat).decode().count("\n")
    assert figure(deep).height == figure(flat).height


def test_a_pattern_over_a_thousand_layers_stays_small():
    text = (
        "{name: deep, family: decoder-only, vocab_size: 10, d_model: 8, layers: 1000,"
        " attention: {heads: 2}, blocks: {a: {mask: causal}, b: {mask: full}},"
        " pattern: [a * 3, b], overrides: {7: b, 501: a}}"
    )
    within(20 * LITTLE, lambda: figure(lower(loads(text))))
    drawing = figure(lower(loads(text)))
    assert [frame.name for frame in drawing.frames] == ["", "a", "b"]
    assert drawing.height < 1000


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "depth", [pytest.param(d, marks=[pytest.mark.slow] if d != "module" else []) for d in DEPTHS]
)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_figure_takes_long(path, depth):
    graph = lower(load(path))
    within(LITTLE, lambda: draw(graph, "svg", DrawOptions(depth=depth)))


@pytest.mark.parametrize(
    "name", ["a<b", "a&b", 'a"b', "blöcke", "слой", "層", "a b", "x" * 65], ids=lambda n: n[:6]
)
def test_names_that_could_break_a_figure_are_refused_by_the_language(name):
    text = (
        "{name: small, family: decoder-only, vocab_size: 10, d_model: 8, layers: 2,"
        f" attention: {{heads: 2}}, blocks: {{{json.dumps(name)}: {{}}}}}}"
    )
    with pytest.raises(SpecErrors):
        loads(text)


def test_the_longest_names_that_the_language_has_fit():
    text = (
        "{name: %s, family: decoder-only, vocab_size: 10, d_model: 8, layers: 2,"
        " attention: {heads: 2}, input: {argument: %s}, blocks: {%s: {}, other: {}},"
        " pattern: [%s, other], heads: {%s: {type: language_model}}}"
    )
    names = ["n" * 64, "a" * 64, "B" * 64, "B" * 64, "h" * 64]
    graph = lower(loads(text % tuple(names)))
    for options in (DrawOptions(), DrawOptions(depth="module", direction="right", unroll=1)):
        drawing = figure(graph, options)
        for box in drawing.boxes:
            for line in box.lines:
                assert text_width(line.text, FONT_SIZES[line.role]) <= box.width, line
        for frame in drawing.frames:
            assert text_width(frame.name, FONT_SIZES[NAME]) <= frame.right - frame.left - 18


def _nasty() -> Drawing:
    box = Box("x", "norm", "box", 60, 30, 100, 30, [Line(NASTY)], NASTY, NASTY)
    return Drawing(NASTY, NASTY, [box], width=120, height=60)


def test_svg_escapes_every_text():
    root = ET.fromstring(svg(_nasty()))
    assert 'a<b>&"quoted"' in (root.findtext(f"{SVG}title") or "")
    assert all(ord(sign) >= 32 for text in root.itertext() for sign in text if sign != "\n")
    assert len(root.findall(f"{SVG}g")) == 1


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_graphviz_reads_escaped_labels(gpt2, format):
    gpt2.name = NASTY
    number = next(op.number for op in gpt2.ops() if op.kind == "embedding")
    gpt2.replace_op(number, name=NASTY)
    assert len(draw(gpt2, format)) > 5000
    assert "A&lt;b&gt;&amp;" in draw(gpt2, "dot").decode()
    ET.fromstring(draw(gpt2))


def test_mermaid_escapes_every_text():
    lines = mermaid(_nasty()).splitlines()
    label = re.search(r'\("(.*)"\)', lines[1])
    assert label is not None
    assert not set(label[1]) & set('<>"`|[]{}$\\')


def test_mermaid_has_the_frames_and_their_counts(gpt2):
    text = draw(gpt2, "mmd").decode()
    assert text.startswith("flowchart BT")
    assert 'subgraph n_layers_block_frame["12×"]' in text
    assert "-. tied .-" in text


def test_long_names_are_shortened_and_kept_whole_in_the_tip():
    name = "an_argument_with_quite_an_unreasonably_long_name_for_a_figure"
    drawing = small(f"input: {{argument: {name}}}")
    box = next(box for box in drawing.boxes if box.look == "text")
    assert box.lines[0].text.endswith("…")
    assert box.tip.startswith(name)


def test_a_figure_of_the_stacks_alone(gpt2):
    drawing = figure(gpt2, DrawOptions(depth="stack"))
    assert drawing.frames == []
    box = next(box for box in drawing.boxes if box.look == "layers")
    assert [line.text for line in box.lines] == ["Decoder", "12 layers"]


def test_the_stacks_alone_still_read_one_another(examples):
    drawing = figure(lower(load(examples / "t5_small.yaml")), DrawOptions(depth="stack"))
    memory = [(edge.source, edge.target) for edge in drawing.edges if edge.look == "memory"]
    assert memory == [("encoder.norm", "decoder.layers")]
    assert [box.id for box in drawing.boxes if box.look == "layers"] == [
        "encoder.layers",
        "decoder.layers",
    ]


@pytest.mark.parametrize(
    ("format", "depth", "message"),
    [
        ("gif", "block", "unknown format `gif`; expected one of: svg, png, pdf, dot, mmd"),
        ("svg", "atom", "unknown depth `atom`; expected one of: stack, block"),
    ],
)
def test_drawing_errors_are_reported(gpt2, format, depth, message):
    with pytest.raises(DrawError, match=re.escape(message)):
        draw(gpt2, format, DrawOptions(depth=depth))


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_without_graphviz_the_choices_are_named(gpt2, monkeypatch, format):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        DrawError, match=f"a {format.upper()} needs Graphviz.*pygraphviz.*neato.*svg"
    ):
        draw(gpt2, format)
    assert draw(gpt2, "svg")


def test_a_broken_pygraphviz_gives_no_traceback(gpt2, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pygraphviz":
            raise ImportError("libcgraph.so.8: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DrawError, match="libcgraph"):
        draw(gpt2, "pdf")


def test_graphviz_draws_a_png_where_resvg_is_not(gpt2, monkeypatch):
    real = engine.importlib.util.find_spec
    monkeypatch.setattr(
        engine.importlib.util, "find_spec", lambda name: None if "resvg" in name else real(name)
    )
    assert draw(gpt2, "png").startswith(b"\x89PNG")


@pytest.mark.skipif(shutil.which("neato") is None, reason="needs Graphviz on the PATH")
@pytest.mark.parametrize("format", ["png", "pdf"])
def test_the_program_draws_where_pygraphviz_is_not(gpt2, monkeypatch, format):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert len(draw(gpt2, format)) > 5000


def test_a_kind_of_op_without_a_row_is_a_box_with_its_name(gpt2):
    graph = gpt2.copy()
    norm = next(op for op in graph.ops() if op.kind == "layer_norm" and "block" in op.scope)
    graph.replace_op(norm.number, kind="new_mixer", name="")
    assert "New mixer" in [box.lines[0].text for box in figure(graph).boxes]
