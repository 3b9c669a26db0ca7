"""The oracle sees a change of any of these options: lowering that drops one is found out.

A model is compiled of the changed spec and judged as if it were the plain one; the weights have the
same names and shapes in both.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import yaml

import modelwright as mw
from modelwright.backends.oracle import run
from modelwright.backends.verify.draws import drawn

from .judging import arguments, compiled, distance, numpy_weights, outputs

SEEN = 1e-6
DECODER = (
    "{name: a, family: decoder-only, vocab_size: 20, d_model: 16, layers: 2, max_positions: 40, "
    "attention: {heads: 2}, head: language_model}"
)
PADDED = DECODER.replace("decoder-only", "encoder-only")
CHANGES = [
    "norm: {eps: 0.1}",
    "norm_placement: none, norm: none",
    "mask: causal & window(3)",
    "mask: causal & documents",
    "mask: causal | prefix",
    "activation: relu",
    "positions: rotary",
    "positions: {type: rotary, theta: 100}",
    "positions: alibi",
    "positions: {type: temperature, length: 2}",
    "positions: sinusoidal",
    "attention: {heads: 4}",
    "attention: {heads: 2, softcap: 1}",
    "attention: {heads: 2, scale: none}",
    "attention: {heads: 2, scale: by_layer}",
    "attention: {heads: 2, score: distance}",
    "attention: {heads: 2, clip_qkv: 0.3}",
    "attention: {type: linear, heads: 2}",
    "attention: {type: linear, heads: 2, normalize: false}",
    "residual: {scale: 0.9}",
    "residual: {stream_scale: 1.1}",
    "residual: {from: normed}",
    "residual: none",
    "residual: parallel",
    "head: {type: language_model, softcap: 1}",
    "head: {type: language_model, scale: 2}",
    "head: {type: language_model, input_scale: 2}",
    "input: {scale: 2}",
]
POSITIONS = [
    ("{type: rotary, layout: half}", "{type: rotary, layout: interleaved}"),
    ("{type: rotary, fraction: 0.5}", "{type: rotary, fraction: 1}"),
    ("rotary", "{type: rotary, scaling: {type: linear, factor: 2}}"),
    ("rotary", "{type: rotary, scaling: {type: yarn, factor: 4, original_max_positions: 8}}"),
    ("{type: relative_bias, max_distance: 128}", "{type: relative_bias, max_distance: 12}"),
    ("{type: relative_bias, bidirectional: false}", "{type: relative_bias, bidirectional: true}"),
    ("{type: disentangled, buckets: 8, max_distance: 9}",
     "{type: disentangled, buckets: 8, max_distance: 30}"),
    ("{type: learned}", "[learned, sinusoidal]"),
]  # fmt: skip
ROUTED = "feed_forward: {type: moe, experts: 4, top_k: 2, "
ROUTERS = [
    ("router: {normalize: true}}", "router: {normalize: false}}"),
    ("router: {score: softmax}}", "router: {score: sigmoid}}"),
    ("router: {score: softmax}}", "router: {score: sparsemixer, jitter: 0.3}}"),
    ("router: {scale: 1}}", "router: {scale: 2}}"),
    ("weigh: output}", "weigh: input}"),
    ("router: {normalize: true}}", "capacity: 2}"),
    ("router: {normalize: true}}", "router: {groups: {count: 2, top_k: 1}}}"),
]


def on_top(base: str, keys: str) -> mw.ModelSpec:
    data: dict[str, Any] = yaml.safe_load(base) | yaml.safe_load("{" + keys + "}")
    return mw.loads(yaml.safe_dump(data, sort_keys=False))


def seen(plain: mw.ModelSpec, changed: mw.ModelSpec) -> float:
    """How far what is compiled of the changed spec is from what the oracle makes of the plain."""
    model = compiled(changed)
    data = arguments(changed, set(inspect.signature(model.forward).parameters), "documents")
    with np.errstate(all="ignore"):
        right = run(changed, numpy_weights(model), data, drawn)["head"]
        mistaken = run(plain, numpy_weights(model), data, drawn)["head"]
    found = outputs(model, changed, data)["head"]
    assert distance(found, right) < SEEN / 100
    return distance(found, mistaken)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("keys", CHANGES)
def test_an_option_that_is_dropped_is_seen(keys: str) -> None:
    plain, changed = on_top(DECODER, ""), on_top(DECODER, keys)
    if "norm: none" in keys:
        plain = on_top(DECODER, "norm: {affine: false}")
    assert seen(plain, changed) > SEEN


@pytest.mark.parametrize(("one", "other"), POSITIONS)
def test_wrong_positions_are_detected(one: str, other: str) -> None:
    plain, changed = (on_top(DECODER, f"positions: {each}") for each in (one, other))
    assert seen(plain, changed) > SEEN


@pytest.mark.parametrize(("one", "other"), ROUTERS)
def test_wrong_experts_are_detected(one: str, other: str) -> None:
    assert seen(on_top(DECODER, ROUTED + one), on_top(DECODER, ROUTED + other)) > SEEN


@pytest.mark.parametrize("pool", ["last", "mean", "max", "{type: token, id: 5}"])
def test_a_wrong_pool_is_detected(pool: str) -> None:
    head = "head: {type: classifier, classes: 3, pool: %s}"
    assert seen(on_top(PADDED, head % "first"), on_top(PADDED, head % pool)) > SEEN
