"""The options of a figure: what each adds, leaves out or refuses."""

from __future__ import annotations

import pytest
from diagram_reading import FOLDER, box, links, names

from modelwright import DrawOptions, load, lower
from modelwright.backends.diagram import DrawError
from modelwright.backends.diagram.drawing import Drawing
from modelwright.backends.diagram.figure import figure


def drawn(name: str, **options: object) -> Drawing:
    return figure(lower(load(FOLDER / f"{name}.yaml")), DrawOptions(**options))


def texts(drawing: Drawing) -> list[str]:
    return [text.text for text in drawing.texts]


def lines(drawing: Drawing, path: str) -> list[str]:
    return [line.text for line in box(drawing, path).lines]


def test_shapes_can_be_left_out():
    with_, without = drawn("gpt2"), drawn("gpt2", shapes=False)
    assert "(B, T, 768)" in texts(with_)
    assert "(B, T, 768)" not in texts(without)
    assert lines(with_, "input_ids") == ["input_ids", "(B, T)"]
    assert lines(without, "input_ids") == ["input_ids"]
    assert names(with_) == names(without)


def test_costs_are_a_line_in_each_box_and_a_note():
    drawing = drawn("gpt2", costs=True)
    assert lines(drawing, "layers.block.feed_forward")[-1] == "56.7 M weights · 43 % FLOPs"
    assert lines(drawing, "token_embedding")[-1] == "38.6 M weights"
    assert lines(drawing, "head")[-1] == "29 % FLOPs"  # its weights are the embedding's
    assert lines(drawing, "norm") == ["LayerNorm"]
    assert "124 M weights. One forward of 1,024 tokens: 272 GFLOPs." in texts(drawing)


def test_costs_of_a_whole_stack():
    drawing = drawn("gpt2", costs=True, depth="stack")
    assert lines(drawing, "layers")[-1] == "85.1 M weights · 71 % FLOPs"


def test_costs_are_in_the_frame_of_an_opened_module():
    drawing = drawn("gpt2", costs=True, depth="module")
    frame = next(frame for frame in drawing.frames if frame.path == "layers.block.attention")
    assert frame.lines[-1].endswith("28.3 M weights · 28 % FLOPs") or "28 % FLOPs" in frame.lines


def test_one_stack_alone_reads_a_word_for_the_other():
    drawing = drawn("t5_small", stack="decoder")
    assert {frame.name for frame in drawing.frames} == {"decoder"}
    assert links(drawing, "memory") == [("Encoder states", "Cross-attention")] * 2
    alone = drawn("t5_small", stack="encoder")
    assert {frame.name for frame in alone.frames} == {"encoder"}
    assert links(alone, "memory") == []
    assert "decoder" not in alone.description
    assert [line.text for line in alone.boxes[-1].lines] == ["Encoder states", "(B, M, 512)"]


@pytest.mark.parametrize(
    ("name", "stack", "message"),
    [
        ("t5_small", "encoda", "unknown stack `encoda`; did you mean `encoder`?"),
        ("gpt2", "middle", "unknown stack `middle`; the only one is `decoder`"),
    ],
)
def test_an_unknown_stack_is_reported(name, stack, message):
    with pytest.raises(DrawError) as caught:
        drawn(name, stack=stack)
    assert str(caught.value) == message


def test_the_legend_explains_what_the_figure_contains():
    drawing = drawn("gpt2", legend=True)
    found = [box.lines[0].text for box in drawing.boxes if box.path == "legend" and box.lines]
    assert found == [
        "attention",
        "feed-forward",
        "normalisation",
        "embedding",
        "linear map",
        "residual connection",
        "tied weights",
    ]
    lowest = min(box.bottom for box in drawing.boxes if box.path != "legend")
    assert all(box.top < lowest for box in drawing.boxes if box.path == "legend")


@pytest.mark.parametrize("unroll", [-1, 65])
def test_the_number_of_unrolled_layers_is_limited(unroll):
    with pytest.raises(DrawError, match=f"unroll must be from 0 to 64, not {unroll}"):
        DrawOptions(unroll=unroll)


def test_direction_right_is_the_same_figure_rotated():
    up, right = drawn("gpt2"), drawn("gpt2", direction="right")
    assert {box.id for box in up.boxes} == {box.id for box in right.boxes}
    flow = [[(e.source, e.target, e.look) for e in each.edges] for each in (up, right)]
    assert flow[0] == flow[1]
    path = ["input_ids", "token_embedding", "layers.block.attention", "norm", "head"]
    xs = [box(right, each).x for each in path]
    assert xs == sorted(xs)
    assert len({round(box(right, each).y) for each in path}) == 1
    assert right.width > right.height


def test_an_unknown_direction_is_refused():
    with pytest.raises(DrawError, match="unknown direction `down`; expected one of: up, right"):
        DrawOptions(direction="down")


def test_an_opened_module_shows_its_parts_in_a_frame():
    drawing = drawn("llama3_8b", depth="module")
    frame = next(frame for frame in drawing.frames if frame.id == "layers.block.attention")
    assert (frame.name, frame.look) == ("Grouped-query attention", "attention")
    inside = [b.lines[0].text for b in drawing.boxes if b.frame == frame.id]
    assert inside == ["Query", "Key", "Value", "Rotary", "Rotary", "Attend", "Output"]
    ids = {b.id for b in drawing.boxes}
    assert {"layers.block.attention.query", "layers.block.feed_forward.gate"} <= ids
    flow = links(drawing, "flow")
    assert {("Query", "Rotary"), ("Rotary", "Attend"), ("Value", "Attend")} <= set(flow)
    assert {("RMSNorm", "Query"), ("RMSNorm", "Key"), ("RMSNorm", "Value")} <= set(flow)


def test_a_mixture_shows_its_router_beside_its_experts():
    flow = links(drawn("qwen1_5_moe_a2_7b", depth="module"), "flow")
    assert {("Router", "Softmax"), ("Top 4", "60 experts"), ("RMSNorm", "60 experts")} <= set(flow)
    assert ("Shared expert", "×") in flow


def test_latent_attention_joins_its_two_kinds_of_keys():
    flow = links(drawn("deepseek_v3", depth="module"), "flow")
    assert {("KV down", "RMSNorm"), ("Key up", "Concat"), ("Rotary", "Concat")} <= set(flow)
    assert ("Concat", "Attend") in flow


def test_cross_attention_takes_keys_and_values_from_the_other_stack():
    memory = links(drawn("t5_small", depth="module"), "memory")
    assert sorted(memory) == [("RMSNorm", "Key"), ("RMSNorm", "Value")]


def test_every_op_is_a_box():
    graph = lower(load(FOLDER / "gpt2.yaml"))
    drawing = figure(graph, DrawOptions(depth="ops"))
    hidden = {"layer_input"}
    assert len([op for op in graph.ops() if op.kind not in hidden]) + 1 == len(drawing.boxes)
    assert ["Mask", "causal"] in [[line.text for line in b.lines] for b in drawing.boxes]


def test_an_unknown_theme_is_refused():
    expected = "unknown theme `sepia`; expected one of: auto, light, dark, print"
    with pytest.raises(DrawError, match=expected):
        DrawOptions(theme="sepia")
