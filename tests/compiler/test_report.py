"""The cost report: weights, by name and by part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reports import EXAMPLES, SMALL, example, report_of

import modelwright as mw


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("gpt2", 124_439_808),
        ("gpt2_medium", 354_823_168),
        ("gpt2_large", 774_030_080),
        ("gpt2_xl", 1_557_611_200),
        ("bert_base", 109_482_240),
        ("t5_small", 60_506_624),
        ("llama3_8b", 8_030_261_248),
        ("gpt3_175b", 174_604_259_328),
    ],
)
def test_published_sizes(name, total):
    assert mw.report(example(name)).to_json()["weights"]["total"] == total


@pytest.mark.sampled(6)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_rows_are_all_the_weights(path: Path) -> None:
    """Each stored weight once; what they hold adds up, part by part."""
    graph = mw.lower(mw.load(path))
    report = mw.report(graph)
    rows = report.weight_rows
    expanded = [
        (row.name.replace("{layer}", str(layer)), row.shape)
        for row in rows
        if not row.tied
        for layer in row.layers or ("",)
    ]
    assert len(dict(expanded)) == len(expanded)
    assert dict(expanded) == {weight.name: weight.shape for weight in graph.weights()}
    assert sum(row.total for row in rows) == report.weights_total
    for part, count in report.weights.items():
        assert sum(row.total for row in rows if row.part == part) == count
    names = {row.name for row in rows}
    assert {row.tied for row in rows if row.tied} <= names
    assert all(row.copies == 0 for row in rows if row.tied)
    assert all(graph.op(row.op).scope == row.scope for row in rows)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_expressions_give_the_shapes(path: Path) -> None:
    """In the numbers of the emitted `Config`, evaluated here."""
    graph = mw.lower(mw.load(path))
    fields = {field.name: field.value for field in graph.fields}
    for row in mw.report(graph).weight_rows:
        assert eval(f"({row.expression},)", {}, fields) == row.shape, row.name


def test_a_row_says_where_it_comes_from() -> None:
    rows = {row.name: row for row in mw.report(example("llama3_8b")).weight_rows}
    row = rows["layers.{layer}.attention.key.weight"]
    assert row.shape == (1024, 4096)
    assert row.expression == "kv_heads * (d_model // heads), d_model"
    assert (row.count, row.copies, row.part) == (1024 * 4096, 32, "attention")
    assert row.layers == tuple(range(32))
    assert row.trained
    assert row.tied == ""
    assert row.spec.startswith("stacks.decoder.blocks.block.attention")
    tied = {row.name: row.tied for row in mw.report(example("t5_small")).weight_rows if row.tied}
    assert tied == {"head.weight": "token_embedding.weight"}


def test_shared_layers_store_one_copy() -> None:
    rows = {row.name: row for row in mw.report(example("albert_base")).weight_rows}
    assert rows["layers.{layer}.attention.query.weight"].copies == 1


def test_rows_of_the_json_are_plain_data() -> None:
    report = mw.report(example("deepseek_v3"))
    rows = json.loads(json.dumps(report.to_json()))["weights"]["rows"]
    assert rows == [row.to_json() for row in report.weight_rows]
    untrained = [row["name"] for row in rows if not row["trained"]]
    assert untrained == ["layers.{layer}.feed_forward.selection_bias"]


def test_weights_that_serve_a_token():
    """All but the experts that it did not choose; without experts, all."""
    report = mw.report(example("mixtral_8x7b"))
    one = 3 * 4096 * 14336
    assert report.weights_total - report.weights_active == 32 * (8 - 2) * one
    assert report.to_json()["weights"]["active"] == 12_879_925_248
    assert "active per token  12,879,925,248  27.6 %" in report.render()
    plain = mw.report(example("gpt2"))
    assert plain.weights_active == plain.weights_total
    assert "active" not in plain.render()


def test_experts_cost_what_the_chosen_ones_do():
    """Two of eight experts and the router, for each token of every layer."""
    flops = mw.report(example("mixtral_8x7b"), batch=2, sequence=10).flops["feed_forward"]
    assert flops == 2 * 20 * 32 * (4096 * 8 + 2 * 3 * 4096 * 14336)


def test_experts_of_a_memory_are_counted_by_its_length():
    sizes = ("feed_forward={type: moe, experts: 4, top_k: 2}", "family=encoder-decoder")
    formula = report_of(SMALL, sizes).flops_formula
    assert "B*M" in formula
    assert set(formula) & set("ABCDEFGHIJKLMNOPQRSUVWXYZ") == {"B", "S", "M"}


def test_gpt2_by_part():
    d, layers = 768, 12
    parts = mw.report(example("gpt2")).weights
    assert parts == {
        "embedding": 50257 * d,
        "positions": 1024 * d,
        "attention": layers * 4 * (d * d + d),
        "feed_forward": layers * (8 * d * d + 5 * d),
        "norm": (2 * layers + 1) * 2 * d,
        "head": 0,
        "other": 0,
    }


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_weight_is_in_one_part(path):
    try:
        graph = mw.lower(mw.load(path))
    except mw.SpecErrors as refused:
        if "not yet" not in str(refused):
            raise
        pytest.skip("it asks for what cannot be built yet")
    counted = mw.report(graph).weights_total
    assert counted == sum(weight.weight.count for weight in graph.weights())


def test_a_branch_keeps_its_norms_and_a_head_all_that_is_in_it():
    text = SMALL.replace("kv_heads: 2", "kv_heads: 2, qk_norm: head")
    head = "head: {type: language_model, tied: true, bias: true, transform: dense}\n"
    parts = report_of(text + head).weights
    plain = report_of(SMALL).weights
    assert parts["attention"] - plain["attention"] == 3 * 2 * 2 * 2  # layers, q and k, E, w and b
    assert parts["head"] == (8 * 8 + 8) + 2 * 8 + 50
    assert parts["norm"] == plain["norm"]


def test_tables_of_several_blocks_are_all_positions():
    kinds = "{a: {positions: disentangled}, b: {positions: {type: disentangled, buckets: 8}}}"
    text = SMALL.replace("positions: learned", "").replace(", kv_heads: 2", "")
    text = f"{text}blocks: {kinds}\npattern: [a, b, a]\n"
    rows = mw.report(mw.loads(text)).weight_rows
    assert {row.part for row in rows if "relative_embedding" in row.name} == {"positions"}
    assert {row.name for row in rows if "relative_embedding" in row.name} == {
        "relative_embedding.weight",
        "b_relative_embedding.weight",
    }


def test_shared_layers_store_once_and_compute_every_time():
    shared, apart = report_of(SMALL + "share: true"), report_of(SMALL)
    assert shared.weights["attention"] * 3 == apart.weights["attention"]
    assert shared.weights["feed_forward"] * 3 == apart.weights["feed_forward"]
    assert shared.forward == apart.forward
    assert shared.activation_bytes == apart.activation_bytes


def test_bytes_follow_the_dtype():
    single, half = (report_of(SMALL, dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert single.weights_bytes == 4 * single.weights_total == 2 * half.weights_bytes
    assert single.cache_bytes == 2 * half.cache_bytes
    # what is kept in float32 or as whole numbers stays as it is
    assert half.activation_bytes < single.activation_bytes < 2 * half.activation_bytes
