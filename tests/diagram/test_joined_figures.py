"""Figures of joined and of optional inputs."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from test_diagram_layout import Area, area, overlap, words

import modelwright as mw
from modelwright.backends.diagram.drawing import Drawing
from modelwright.backends.diagram.figure import figure
from modelwright.backends.diagram.lengths import lengths
from modelwright.backends.diagram.options import DrawOptions

JOINED = """
name: joined
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  all:
    vocab_size: 30
    input:
      - tokens
      - {type: patches, image_size: 8, patch_size: 4, optional: true}
      - {type: features, argument: sound, size: 6, optional: true}
"""
SEVERAL = """
  decoder:
    vocab_size: 30
    mask: causal
    input: {type: tokens, argument: decoder_input_ids, tied: all}
    cross_attention: {memory: all}
head: language_model
"""
ORDER = ["input_ids", "pixel_values", "sound"]


def drawn(text: str, direction: str = "up") -> Drawing:
    return figure(mw.lower(mw.loads(text)), DrawOptions(direction=direction))


def test_a_stack_that_continues_another_one_has_its_length(root: Path) -> None:
    two = lengths(mw.lower(root / "examples/decision_transformer.yaml"))
    assert two == {}  # T
    three = lengths(mw.lower(root / "examples/multimodel.yaml"))
    assert {name: dim.label for name, dim in three.items()} == {"encoder": "M"}


@pytest.mark.parametrize("text", [JOINED, JOINED + SEVERAL], ids=["one stack", "two stacks"])
def test_inputs_enter_a_join_from_below_in_their_order(text: str) -> None:
    drawing = drawn(text)
    boxes = {box.id: box for box in drawing.boxes}
    join = next(box for box in drawing.boxes if box.lines[0].text == "Concatenate")
    edges = [edge for edge in drawing.edges if edge.target == join.id]
    for edge in edges:
        (x, below), (end, top) = edge.points[-2:]
        assert x == end == boxes[edge.source].x
        assert below < top == join.bottom
    inputs = {edge.target: edge.source for edge in drawing.edges}
    edges.sort(key=lambda edge: edge.points[-1][0])
    arguments = [boxes[inputs[edge.source]].lines[0].text for edge in edges]
    assert arguments == ORDER


@pytest.mark.parametrize("shapes", [True, False])
def test_optional_inputs_say_so(shapes: bool) -> None:
    drawing = figure(mw.lower(mw.loads(JOINED)), DrawOptions(shapes=shapes))
    marked = {
        box.lines[0].text
        for box in drawing.boxes
        if any(line.text.endswith("optional") for line in box.lines[1:])
    }
    assert marked == {"pixel_values", "sound"}


def test_a_tie_runs_below_what_it_passes() -> None:
    drawing = drawn(JOINED + SEVERAL)
    (tie,) = [edge for edge in drawing.edges if edge.look == "tie"]
    left, right = (
        next(b for b in drawing.boxes if b.id == end) for end in (tie.source, tie.target)
    )
    passed = [box for box in drawing.boxes if left.x < box.x < right.x and box.bottom < left.top]
    assert len(passed) >= 4
    assert min(y for _, y in tie.points) < min(box.bottom for box in passed)


@pytest.mark.parametrize("depth", ["stack", "block", "module", "ops"])
@pytest.mark.parametrize("pool", ["mean", "first"])
def test_a_head_that_reads_the_mask_of_optional_inputs(depth: str, pool: str) -> None:
    """The mean over vectors that may be padding: the head is drawn above the one stack."""
    text = f"{JOINED}join: concatenate\nhead: {{type: classifier, classes: 3, pool: {pool}}}\n"
    text = text.replace("stacks:\n  all:\n    vocab", "family: encoder-only\nvocab")
    text = text.replace("\n    input:", "\ninput:").replace("\n      -", "\n  -")
    drawing = figure(mw.lower(mw.loads(text)), DrawOptions(depth=depth))
    assert any(part.id == "result.head" for part in drawing.parts())


STACKS = """
name: parts
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  sound: {input: {type: features, argument: sound, size: 6, project: true, prefix_tokens: 2}}
  queries: {input: {type: learned, tokens: 3}, cross_attention: {memory: sound}}
  words: {vocab_size: 20}
  text:
    mask: causal
    input:
      - {type: stack, stack: queries, projector: linear, optional: true}
      - {type: stack, stack: words, optional: true}
head: {type: language_model, vocab_size: 20}
"""
CONDITIONED = """
name: conditioned
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  text: {vocab_size: 20, input: {argument: text_ids}}
  image:
    input: {type: patches, image_size: 8, patch_size: 4}
    residual: {type: parallel, shared_norm: true}
    condition:
      type: adaln_zero
      embed:
        - {type: timestep, width: 8}
        - {type: label, classes: 4}
        - {type: vector, argument: camera, size: 3}
        - {type: pooled, stack: text, pool: mean}
    cross_attention: {memory: text}
head: {type: patches, channels: 3, stack: image}
"""


@pytest.mark.parametrize("direction", ["up", "right"])
@pytest.mark.parametrize("depth", ["stack", "block", "module", "ops"])
@pytest.mark.parametrize("text", [STACKS, CONDITIONED], ids=["joined", "condition"])
def test_every_input_is_drawn_and_nothing_overlaps(text: str, depth: str, direction: str) -> None:
    graph = mw.lower(mw.loads(text))
    drawing = figure(graph, DrawOptions(depth=depth, direction=direction))
    areas = [area(box) for box in drawing.boxes] + words(drawing)
    assert [pair for pair in combinations(areas, 2) if overlap(*pair)] == []
    for edge in drawing.edges:
        for ends in pairwise(edge.points):
            (left, right), (low, high) = (sorted(numbers) for numbers in zip(*ends, strict=True))
            line: Area = (left, low, right + 0.01, high + 0.01)
            assert [box.id for box in drawing.boxes if overlap(line, area(box, 1.0))] == []
    shown = " ".join(line.text for box in drawing.boxes for line in box.lines)
    needed = {op.name for op in graph.ops("") if op.kind == "argument"}
    needed -= set() if depth == "ops" else {name for name in needed if name.endswith("mask")}
    assert {name for name in needed if name not in shown} == set()
    reads = {(e.target, e.source) for e in drawing.edges if e.look == "memory"}
    targets = [target for target, _ in reads]
    if text == STACKS:
        assert {"text.input.queries", "text.input.words"} < set(targets)
        assert len({source for _, source in reads}) == 3
    else:
        assert sum("condition" in target for target in targets) == 2
