"""Whole models: layers, shared weights, ties, memories, and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelwright as mw
from modelwright.backends.reference import random_weights, run, weight_shapes

ROOT = Path(__file__).resolve().parents[2]
TINY = sorted((ROOT / "examples").glob("tiny_*.yaml"))

BASE = """
name: base
family: decoder-only
vocab_size: 11
max_positions: 8
d_model: 4
layers: 2
attention: {heads: 2}
feed_forward: {d_ff: 6, activation: relu}
positions: learned
"""


def tokens(rows: int = 2, length: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 11, (rows, length))


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_tiny_examples_run(path):
    graph = mw.lower(mw.load(path))
    ids = np.random.default_rng(0).integers(0, 30, (2, 6))
    names = [op.name for op in graph.ops("") if op.kind == "argument"]
    inputs = {name: ids for name in names if name.endswith("input_ids")}
    inputs |= {name: np.ones((2, 6, 12)) for name in names if name == "measurements"}
    results = run(graph, random_weights(graph, 0), inputs)
    assert set(results) == {*graph.outputs, *(f"hidden:{stack}" for stack in graph.hidden)}
    for name, result in results.items():
        assert result.dtype == np.float64
        assert np.isfinite(result).all()
        assert result.shape[0] == 2
        assert result.std() > 0.05, name


def layer_norm(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def attention(x, w, name):
    def project(part):
        return x @ w[f"{name}.{part}.weight"].T + w[f"{name}.{part}.bias"]

    q, k, v = (project(part) for part in ("query", "key", "value"))
    result = np.zeros_like(q)
    for b in range(len(x)):
        for head in (slice(0, 2), slice(2, 4)):
            for t in range(x.shape[1]):
                scores = np.exp(k[b, : t + 1, head] @ q[b, t, head] / np.sqrt(2))
                result[b, t, head] = scores / scores.sum() @ v[b, : t + 1, head]
    return result @ w[f"{name}.output.weight"].T + w[f"{name}.output.bias"]


def test_a_decoder_written_out(model):
    """Two pre-norm layers, straight from the papers, without the graph."""
    m = model(BASE + "head: {type: language_model, tied: true}")
    w, ids = m.weights, tokens()
    x = w["token_embedding.weight"][ids] + w["position_embedding.weight"][:5]
    for i in range(2):
        at = f"layers.{i}"

        def norm(x, name, at=at):
            return layer_norm(x, w[f"{at}.{name}.weight"], w[f"{at}.{name}.bias"])

        x = x + attention(norm(x, "attention_norm"), w, f"{at}.attention")
        h = norm(x, "feed_forward_norm") @ w[f"{at}.feed_forward.up.weight"].T
        h = np.maximum(h + w[f"{at}.feed_forward.up.bias"], 0)
        x = x + h @ w[f"{at}.feed_forward.down.weight"].T + w[f"{at}.feed_forward.down.bias"]
    x = layer_norm(x, w["norm.weight"], w["norm.bias"])
    got = m(input_ids=ids)
    assert np.allclose(got["hidden:decoder"], x, atol=1e-13)
    assert np.allclose(got["head"], x @ w["token_embedding.weight"].T, atol=1e-13)


def test_shared_layers_use_one_set_of_weights(model):
    shared, apart = model(BASE + "share: true"), model(BASE)
    assert not any("layers.1." in name for name in shared.weights)
    assert shared.graph.scopes["layers"].modules == (0, 0)
    same = {name: shared.weights[name.replace("layers.1.", "layers.0.")] for name in apart.weights}
    expected = run(apart.graph, same, {"input_ids": tokens()})
    got = shared(input_ids=tokens())
    assert np.array_equal(got["hidden:decoder"], expected["hidden:decoder"])


def test_kinds_of_layers_alternate(model):
    text = BASE.replace("layers: 2", "layers: 3") + (
        "blocks: {near: {mask: window(1)}, far: {mask: causal}}\npattern: [near, far]\n"
    )
    m = model(text)
    assert m.graph.scopes["layers"].order == ("near", "far", "near")
    before, after = tokens(1), tokens(1)
    after[0, 0] = (after[0, 0] + 1) % 11
    base, got = m.hidden(input_ids=before), m.hidden(input_ids=after)
    assert (np.abs(base - got).max(axis=-1) > 1e-6).all()  # through the one far layer
    near = model(text.replace("mask: causal}", "mask: window(1)}"))
    base, got = near.hidden(input_ids=before), near.hidden(input_ids=after)
    assert (np.abs(base - got).max(axis=-1)[0, 1:] == 0).all()


def test_a_memory_is_read_and_its_padding_is_not(model):
    text = BASE.replace("decoder-only", "encoder-decoder")
    m, ids, memory = model(text), tokens(1, 4), tokens(1, 6)
    base = m(decoder_input_ids=ids, input_ids=memory[:, :5])["hidden:decoder"]
    other = m(decoder_input_ids=ids, input_ids=memory)["hidden:decoder"]
    assert np.abs(base - other).max() > 1e-4
    mask = np.array([[1, 1, 1, 1, 1, 0]])
    hidden = m(decoder_input_ids=ids, input_ids=memory, attention_mask=mask)["hidden:decoder"]
    assert np.abs(base - hidden).max() < 1e-13


def test_an_added_embedding_that_is_left_out_is_entry_zero(model):
    m = model(BASE + "input: {add: {token_type_ids: 2}}")
    ids = tokens()
    without = m.hidden(input_ids=ids)
    assert np.array_equal(m.hidden(input_ids=ids, token_type_ids=np.zeros_like(ids)), without)
    assert np.abs(m.hidden(input_ids=ids, token_type_ids=np.ones_like(ids)) - without).max() > 1e-4


# -- weights and what is refused


def test_no_random_weight_keeps_its_constant(model):
    m = model(BASE)
    assert {name: w.shape for name, w in m.weights.items()} == weight_shapes(m.graph)
    for name, w in m.weights.items():
        assert (w != 0).all(), name
        assert (w != 1).all(), name
    scale = m.weights["norm.weight"]
    assert 0.3 < scale.mean() < 1.7
    assert np.array_equal(scale, random_weights(m.graph, 0)["norm.weight"])
    assert not np.array_equal(scale, random_weights(m.graph, 1)["norm.weight"])


def test_weights_must_fit(model):
    m = model(BASE)
    inputs = {"input_ids": tokens()}
    few = {name: w for name, w in m.weights.items() if name != "norm.bias"}
    with pytest.raises(ValueError, match=r"missing: \['norm.bias'\]; unknown: none"):
        run(m.graph, few, inputs)
    with pytest.raises(ValueError, match=r"missing: none; unknown: \['norm.biass'\]"):
        run(m.graph, {**m.weights, "norm.biass": np.zeros(4)}, inputs)
    with pytest.raises(ValueError, match=r"norm.bias has shape \(3,\), not \(4,\)"):
        run(m.graph, {**m.weights, "norm.bias": np.zeros(3)}, inputs)


def test_arguments_must_fit(model):
    m = model(BASE)
    with pytest.raises(ValueError, match="the argument input_ids is missing"):
        m()
    with pytest.raises(ValueError, match="no argument is called ids"):
        m(input_ids=tokens(), ids=tokens())
    with pytest.raises(ValueError, match=r"input_ids has shape \(5,\), not input_ids \(B, T\)"):
        m(input_ids=tokens()[0])


def test_the_weights_are_used_in_float64(model):
    m = model(BASE)
    single = {name: w.astype(np.float32) for name, w in m.weights.items()}
    result = run(m.graph, single, {"input_ids": tokens()})["hidden:decoder"]
    assert result.dtype == np.float64


def test_every_op_of_the_compiler_has_a_row():
    from modelwright.backends.reference import COMPUTE
    from modelwright.compiler.ops import OPS

    assert set(COMPUTE) == set(OPS) - {"argument", "layer_input"}
