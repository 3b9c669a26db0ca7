"""No text of an example's figure is cut off, and no letter has two meanings."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from diagram_reading import EXAMPLES, FOLDER

from modelwright import DrawOptions, draw, load, loads, lower
from modelwright.backends.diagram.drawing import Drawing
from modelwright.backends.diagram.figure import figure
from modelwright.backends.diagram.lengths import shape_text

LONG = "causal & (window(128) | strided(64) | global(0:16) | keys(90:120)) & documents"
DEPTHS = ("block", "module", "ops")


@cache
def graph_of(name: str):
    return lower(load(FOLDER / f"{name}.yaml"))


def texts(drawing: Drawing) -> list[str]:
    found = [line.text for box in drawing.boxes for line in box.lines]
    found += [text for frame in drawing.frames for text in (frame.name, *frame.lines)]
    return found + [text.text for text in drawing.texts]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_is_cut(path: Path) -> None:
    for depth in DEPTHS:
        drawing = figure(graph_of(path.stem), DrawOptions(depth=depth))
        assert [text for text in texts(drawing) if "…" in text] == []


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_long_mask_is_printed_in_full(depth: str) -> None:
    graph = lower(load(FOLDER / "gpt2.yaml", sets=[f"mask={LONG}"]))
    drawing = figure(graph, DrawOptions(depth=depth))
    assert re.sub(r"\s", "", LONG) in re.sub(r"\s", "", "".join(texts(drawing)))
    if depth == "block":  # and in the words that a reader sees over the box
        tips = [box.tip for box in drawing.boxes]
        assert any(f"mask: {LONG}" in tip for tip in tips)


def test_a_mask_without_end_is_in_the_tooltip() -> None:
    """Six lines at most; the whole formula is the title of the box in the SVG."""
    formula = "causal & (" + " | ".join(f"window({n}) & strided({n})" for n in range(2, 16)) + ")"
    graph = lower(load(FOLDER / "gpt2.yaml", sets=[f"mask={formula}"]))
    drawing = figure(graph, DrawOptions())
    box = next(box for box in drawing.boxes if "mask: " in box.tip)
    assert box.lines[-1].text.endswith("…")
    assert formula in box.tip
    assert formula.replace("&", "&amp;") in draw(graph, "svg").decode()


# -- lengths


@pytest.mark.parametrize("name", ["t5_small", "bart_base", "whisper_tiny", "transformer_base"])
def test_a_memory_has_its_own_letter(name: str) -> None:
    graph = graph_of(name)
    assert shape_text(graph, graph.hidden["encoder"]).startswith("(B, M, ")
    assert shape_text(graph, graph.hidden["decoder"]).startswith("(B, T, ")
    shapes = {
        op.name: shape_text(graph, op.outputs[0]) for op in graph.ops("") if op.kind == "argument"
    }
    assert all("M" in shapes[name] for name in shapes if not name.startswith("decoder_"))
    assert not any("M" in shapes[name] for name in shapes if name.startswith("decoder_"))


def test_an_image_has_a_number_of_tokens_beside_words() -> None:
    graph = graph_of("clip_vit_b32")
    assert shape_text(graph, graph.hidden["vision"]) == "(B, 50, 768)"
    assert shape_text(graph, graph.hidden["text"]) == "(B, T, 512)"


TOWERS = """
name: towers
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 4}
stacks: {query: {input: {argument: query_ids}}, passage: {input: {argument: passage_ids}}}
heads:
  q: {type: projection, size: 4, stack: query, pool: mean}
  p: {type: projection, size: 4, stack: passage, pool: mean}
"""


def test_stacks_side_by_side_have_lengths_of_their_own() -> None:
    graph = lower(loads(TOWERS))
    assert shape_text(graph, graph.hidden["query"]) == "(B, T, 16)"
    assert shape_text(graph, graph.hidden["passage"]) == "(B, T2, 16)"


# -- additive attention


def test_additive_attention_has_a_score_vector_and_no_sinks() -> None:
    """What its scores are, in every figure; the vector where the steps are drawn one by one."""
    for depth in DEPTHS:
        said = texts(figure(graph_of("tiny_additive"), DrawOptions(depth=depth)))
        assert any("additive scores" in text for text in said)
        assert not any("sink" in text.lower() for text in said)
        assert any(text in ("Score vector", "Score") for text in said) == (depth != "block")
