"""Content of figures and their connections, read from the drawing and not from the bytes."""

from __future__ import annotations

import pytest
from diagram_reading import FOLDER, box, example, links, names, small

from modelwright import DrawOptions, load, lower
from modelwright.backends.diagram.figure import figure


def test_gpt2_is_one_block_in_a_frame():
    drawing = example("gpt2")
    assert [frame.path for frame in drawing.frames] == ["layers.block"]
    assert drawing.frames[0].count == "12×"
    assert names(drawing, "layers.block.frame") == [
        "LayerNorm",
        "Multi-head attention",
        "+",
        "LayerNorm",
        "Feed-forward",
        "+",
    ]
    assert [line.text for line in box(drawing, "layers.block.attention").lines[1:]] == [
        "12 heads × 64",
        "mask: causal",
    ]
    assert "768 → 3,072 → 768" in box(drawing, "layers.block.feed_forward").tip


def test_gpt2_adds_positions_at_the_input_and_ties_its_head():
    drawing = example("gpt2")
    assert ("Position embedding", "+") in links(drawing, "flow")
    assert links(drawing, "tie") == [("Token embedding", "Head")]
    assert [text.text for text in drawing.texts if text.look == "tie"] == ["tied"]
    assert box(drawing, "head").lines[1].text == "768 → 50,257 · tied"
    assert links(drawing, "residual") == [("+", "+"), ("+", "+")]


def test_a_lane_leaves_below_the_norm_of_a_pre_norm_block():
    drawing = example("gpt2")
    lanes = [edge for edge in drawing.edges if edge.look == "residual"]
    norm = box(drawing, "layers.block.attention_norm")
    assert lanes[0].points[0][1] < norm.bottom
    assert lanes[0].target == "layers.block.add.1"


def test_llama_feeds_its_rotary_table_into_attention():
    drawing = example("llama3_8b")
    attention = box(drawing, "layers.block.attention")
    assert [line.text for line in attention.lines] == [
        "Grouped-query attention",
        "32 heads × 128 · 8 kv heads",
        "mask: causal",
    ]
    assert links(drawing, "position") == [("Rotary", "Grouped-query attention")]
    assert "θ 500,000" in box(drawing, "rope_table").tip
    assert links(drawing, "tie") == []
    assert "Gated feed-forward" in names(drawing)
    assert drawing.frames[0].count == "32×"


def test_gemma2_folds_its_pattern():
    drawing = example("gemma2_2b")
    outer, local, globe = drawing.frames
    assert (outer.count, local.name, local.count, globe.name) == ("13×", "local", "", "global")
    assert local.parent == globe.parent == outer.id
    assert "causal & window(4096)" in box(drawing, "layers.local.attention").tip
    assert "causal · softcap 50" in box(drawing, "layers.global.attention").tip
    rotary = [source for source, _ in links(drawing, "position")]
    assert rotary == ["Rotary", "Rotary"]
    assert names(drawing).count("Rotary") == 1


def test_an_uneven_pattern_says_its_counts_and_its_order():
    drawing = example("gemma3_1b")
    counts = {frame.name: frame.count for frame in drawing.frames}
    assert counts == {"": "4×, then 2 local", "local": "5×", "global": ""}
    said = [text.text for text in drawing.texts]
    assert {"5×", "4×", "then 2 local"} <= set(said)


def test_a_kind_before_a_pattern_is_drawn_below_its_frame():
    drawing = example("modernbert_base")
    counts = [(frame.name, frame.count) for frame in drawing.frames]
    assert counts == [("global_layer_0", "1×"), ("", "7×"), ("local", "2×"), ("global", "")]


def test_an_irregular_order_is_given_beside_the_counts():
    keys = "blocks: {a: {}, b: {}, c: {}}\npattern: [a, b, b, a, c, b, a, b, c, c]\n"
    outer, *kinds = small(keys, "layers=10").frames
    assert outer.count.startswith("10 layers:, ")
    assert [(frame.name, frame.count) for frame in kinds] == [("a", "3×"), ("b", "4×"), ("c", "3×")]


def test_the_first_layers_can_stand_one_by_one():
    drawing = figure(lower(load(FOLDER / "gemma3_1b.yaml")), DrawOptions(unroll=2))
    counts = [(frame.name, frame.count) for frame in drawing.frames]
    assert counts[:2] == [("layer 0 · local", ""), ("layer 1 · local", "")]
    assert counts[2] == ("", "3×, after 3 local, then 1 global, 2 local, layers 2 to 25")
    ids = [box.id for box in drawing.boxes]
    assert len(set(ids)) == len(ids)
    assert {"layers.0.attention", "layers.1.attention", "layers.local.attention"} <= set(ids)
    flow = [(edge.source, edge.target) for edge in drawing.edges]
    assert ("layers.0.add.2", "layers.1.attention_norm") in flow


def test_all_layers_one_by_one():
    drawing = figure(lower(load(FOLDER / "tiny_gpt.yaml")), DrawOptions(unroll=64))
    assert all(frame.name.startswith("layer ") and not frame.count for frame in drawing.frames)
    assert len({frame.id for frame in drawing.frames}) == len(drawing.frames) > 1


def test_t5_reads_the_encoder_from_its_top():
    drawing = example("t5_small")
    cross = box(drawing, "decoder.layers.block.cross_attention")
    top = box(drawing, "encoder.norm")
    memory = [edge for edge in drawing.edges if edge.look == "memory"]
    assert {(edge.source, edge.target) for edge in memory} == {(top.id, cross.id)}
    assert len(memory) == 2
    for edge in memory:
        assert edge.points[0] == (top.x, top.top)
        assert edge.points[-1][1] == cross.bottom
    assert [(f.name, f.count) for f in drawing.frames] == [("encoder", "6×"), ("decoder", "6×")]
    assert links(drawing, "tie") == [("Token embedding", "Head"), ("Token embedding",) * 2]
    assert links(drawing, "position") == [("Relative bias", "Multi-head attention")] * 2


def test_bert_sums_three_embeddings_and_norms_after_each_add():
    drawing = example("bert_base")
    assert names(drawing, "layers.block.frame") == [
        "Multi-head attention",
        "Add & LayerNorm",
        "Feed-forward",
        "Add & LayerNorm",
    ]
    flow = links(drawing, "flow")
    assert ("Token type embedding", "+") in flow
    assert ("Position embedding", "+") in flow
    assert ("Add & LayerNorm", "Pooler") in flow
    assert links(drawing, "residual")[1] == ("Add & LayerNorm", "Add & LayerNorm")


def test_gptj_has_two_branches_and_one_sum():
    drawing = example("gptj_6b")
    attention = box(drawing, "layers.block.attention")
    feed_forward = box(drawing, "layers.block.feed_forward")
    assert attention.y == feed_forward.y
    assert attention.x + attention.width / 2 < feed_forward.x - feed_forward.width / 2
    assert names(drawing, "layers.block.frame").count("+") == 1
    assert names(drawing, "layers.block.frame").count("LayerNorm") == 1
    into = [source for source, target in links(drawing, "flow") if target == "+"]
    assert sorted(into) == ["Feed-forward", "Multi-head attention"]
    assert links(drawing, "residual") == [("Token embedding", "+")]


def test_alberts_docstring_says_that_layers_share_weights():
    drawing = example("albert_base")
    assert drawing.frames[0].count == "12×, shared weights"
    assert "shared weights" in [text.text for text in drawing.texts]


def test_the_original_transformer_adds_waves():
    drawing = example("transformer_base")
    waves = [box for box in drawing.boxes if box.lines[0].text == "~"]
    assert [wave.look for wave in waves] == ["position", "position"]
    assert names(drawing, "encoder.layers.block.frame")[-1] == "Add & LayerNorm"
    assert names(drawing).count("× √512") == 2


def test_several_heads_are_drawn_side_by_side():
    drawing = example("bert_pretraining")
    results = [box.lines[0].text for box in drawing.boxes if box.id.startswith("result.")]
    assert len(results) == 2
    assert all(": " in result for result in results)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("norm_placement: pre", ["LayerNorm", "A", "+", "LayerNorm", "F", "+"]),
        ("norm_placement: post", ["A", "Add & LayerNorm", "F", "Add & LayerNorm"]),
        ("norm_placement: output", ["A", "LayerNorm", "+", "F", "LayerNorm", "+"]),
        (
            "norm_placement: sandwich",
            ["LayerNorm", "A", "LayerNorm", "+", "LayerNorm", "F", "LayerNorm", "+"],
        ),
        ("norm_placement: none", ["A", "+", "F", "+"]),
    ],
)
def test_norms_are_drawn_where_they_are_applied(keys, expected):
    short = {"Multi-head attention": "A", "Feed-forward": "F"}
    assert [short.get(n, n) for n in names(small(keys), "layers.block.frame")] == expected


def test_a_parallel_block_with_two_norms_has_them_side_by_side():
    drawing = small("residual: parallel")
    inside = [b for b in drawing.boxes if b.frame and b.lines[0].text == "LayerNorm"]
    assert len(inside) == 2
    assert inside[0].y == inside[1].y
    assert names(drawing, "layers.block.frame").count("+") == 1


def test_a_scaled_stream_has_a_step_of_its_own():
    drawing = small("residual: {stream_scale: 2.5}\nnorm_placement: post")
    assert names(drawing, "layers.block.frame").count("× 2.5") == 2


def test_consecutive_kinds_are_drawn_above_one_another():
    drawing = small(
        "blocks: {wide: {feed_forward: {d_ff: 512}}, narrow: {}}\n"
        "pattern: [narrow]\noverrides: {0: wide}\n"
    )
    assert [(f.name, f.count) for f in drawing.frames] == [("wide", "1×"), ("narrow", "3×")]
    assert drawing.frames[0].top < drawing.frames[1].bottom


def test_no_layers_is_no_frame():
    drawing = small("", "layers=0")
    assert drawing.frames == []
    assert "Head" in names(drawing)


def test_a_block_without_attention():
    drawing = small("", "attention=none")
    assert names(drawing, "layers.block.frame") == ["LayerNorm", "Feed-forward", "+"]


def test_an_empty_block_is_an_empty_frame():
    drawing = small("", "attention=none", "feed_forward=none")
    assert drawing.frames[0].top - drawing.frames[0].bottom > 20
    assert names(drawing, "layers.block.frame") == []
