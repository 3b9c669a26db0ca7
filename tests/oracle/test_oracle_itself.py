"""The oracle against numbers of the papers and functions of `transformers`, and its refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import modelwright as mw
from modelwright.backends.oracle import OracleError, run
from modelwright.backends.oracle.context import Tokens
from modelwright.backends.oracle.feed_forward import sparse_mixer
from modelwright.backends.oracle.masks import admits
from modelwright.backends.oracle.positions import sinusoids
from modelwright.backends.oracle.relative import bucket, log_bucket, slopes
from modelwright.backends.oracle.rotary import SCALINGS
from modelwright.backends.verify.draws import drawn
from modelwright.spec.masks import Atom, parse_mask
from modelwright.spec.norm import LayerNorm
from modelwright.spec.part import Part
from modelwright.spec.positions import (
    Disentangled,
    DynamicScaling,
    LinearScaling,
    Llama3,
    LongRope,
    RelativeBias,
    Yarn,
)

from .judging import compiled, numpy_weights

SMALL = (
    "{name: a, family: decoder-only, vocab_size: 20, d_model: 8, layers: 1, attention: {heads: 2}}"
)


def subject() -> tuple[mw.ModelSpec, dict[str, Any], dict[str, Any]]:
    spec = mw.loads(SMALL)
    return spec, numpy_weights(compiled(spec)), {"input_ids": np.arange(10).reshape(2, 5)}


def test_hidden_states_have_the_name_of_their_stack() -> None:
    found = run(*subject())
    assert {name: value.shape for name, value in found.items()} == {"decoder": (2, 5, 8)}


def test_a_weight_that_is_never_read_is_an_error() -> None:
    spec, weights, data = subject()
    with pytest.raises(OracleError, match=r"does not use: layers\.7\.what"):
        run(spec, {**weights, "layers.7.what": np.zeros(3)}, data)


def test_a_weight_that_is_missing_is_an_error() -> None:
    spec, weights, data = subject()
    del weights["layers.0.feed_forward.up.bias"]
    with pytest.raises(
        OracleError, match=r"the weight `layers.0.feed_forward.up.bias` of the spec is missing"
    ):
        run(spec, weights, data)


def test_a_weight_of_another_shape_is_an_error() -> None:
    spec, weights, data = subject()
    weights["layers.0.feed_forward.up.bias"] = np.zeros(3)
    with pytest.raises(OracleError, match=r"has shape \(3,\); the spec says \(32,\)"):
        run(spec, weights, data)


def test_an_option_that_is_not_known_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(LayerNorm):
        fresh: int = 0

    spec, weights, data = subject()
    stack = spec.stacks["decoder"]
    block = stack.blocks["block"].model_copy(update={"norm": Later()})
    changed = stack.model_copy(update={"blocks": {"block": block}})
    with pytest.raises(OracleError, match="does not know the option `fresh` of Later"):
        run(spec.model_copy(update={"stacks": {"decoder": changed}}), weights, data)


def test_a_value_that_is_not_known_is_an_error() -> None:
    spec, weights, data = subject()
    stack = spec.stacks["decoder"]
    part = stack.blocks["block"].attention.model_copy(update={"score": "hyperbolic"})
    block = stack.blocks["block"].model_copy(update={"attention": part})
    changed = stack.model_copy(update={"blocks": {"block": block}})
    with pytest.raises(OracleError, match="does not know `score: hyperbolic` of Mha"):
        run(spec.model_copy(update={"stacks": {"decoder": changed}}), weights, data)


def test_a_part_that_is_not_known_is_an_error() -> None:
    class Later(Part):
        eps: float = 0

    spec, weights, data = subject()
    stack = spec.stacks["decoder"].model_copy(update={"norm": Later()})
    with pytest.raises(OracleError, match="does not know a part of the kind Later"):
        run(spec.model_copy(update={"stacks": {"decoder": stack}}), weights, data)


def test_random_blocks_have_to_be_given() -> None:
    spec = mw.loads(SMALL.replace("layers: 1", "layers: 1, mask: 'causal & random(2, 1)'"))
    with pytest.raises(OracleError, match="pass `draws`"):
        run(spec, numpy_weights(compiled(spec)), {"input_ids": np.arange(10).reshape(2, 5)})


@pytest.mark.parametrize(("size", "many", "length"), [(4, 1, 13), (3, 2, 13), (2, 3, 12)])
def test_as_many_blocks_are_drawn_as_are_asked_for(size: int, many: int, length: int) -> None:
    seen = drawn(Atom("random", (size, many, 7)), length)
    for start in range(0, length, size):
        rows = seen[start : start + size]
        assert (rows == rows[0]).all()
        assert len({int(k) // size for k in np.flatnonzero(rows[0])}) == many
    assert drawn(Atom("random", (size, many, 8)), length).tolist() != seen.tolist()


# -- numbers of papers


def test_slopes_of_alibi() -> None:
    """The 8 slopes of section 3, and those of the authors' code for 6 heads."""
    assert slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    assert slopes(6).tolist() == [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]
    assert slopes(6, "ceil").tolist() == [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]
    assert slopes(3, "ceil").tolist() == [2**-4, 2**-8, 2**-2]


def test_sinusoids_interleaved() -> None:
    found = sinusoids(np.array([0, 3]), 4, layout="interleaved", denominator="half")
    assert found[0].tolist() == [0, 1, 0, 1]
    assert np.allclose(found[1], [np.sin(3), np.cos(3), np.sin(0.03), np.cos(0.03)])


MASKS = {
    "causal": ["1000", "1100", "1110", "1111"],
    "window(2)": ["1000", "1100", "0110", "0011"],
    "band(2, 0)": ["1000", "1100", "1110", "0111"],
    "band(0, 1)": ["1100", "0110", "0011", "0001"],
    "strided(2)": ["1010", "0101", "1010", "0101"],
    "fixed(2, 1)": ["1101", "1101", "0111", "0111"],
    "blocks(2)": ["1100", "1100", "0011", "0011"],
    "blocks(1, 1)": ["1100", "1110", "0111", "0011"],
    "global(1)": ["1111", "1000", "1000", "1000"],
    "global(-1:)": ["0001", "0001", "0001", "1111"],
    "global(given)": ["0010", "0010", "1111", "0010"],
    "keys(1:3)": ["0110", "0110", "0110", "0110"],
    "queries(2)": ["1111", "1111", "0000", "0000"],
    "prefix": ["1100", "1100", "1100", "1100"],
    "documents": ["1000", "0111", "0111", "0111"],
    "causal & ~keys(0:1) | queries(0:1)": ["1111", "0100", "0110", "0111"],
}
"""Formula -> a row for each query. The prefix is 2 long, documents are 1 and 3 long, and token 2 is
global."""


@pytest.mark.parametrize("formula", MASKS)
def test_mask(formula: str) -> None:
    tokens = Tokens(
        admitted=np.ones(4, bool),
        positions=np.arange(4),
        last=3,
        document_ids=np.array([0, 1, 1, 1]),
        prefix_length=np.array(2),
        global_mask=np.array([0, 0, 1, 0]),
    )
    seen = admits(parse_mask(formula), tokens)
    assert ["".join(str(int(k)) for k in row) for row in seen] == MASKS[formula]


# -- functions of transformers


@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_of_t5(bidirectional: bool) -> None:
    pytest.importorskip("transformers")
    from transformers.models.t5.modeling_t5 import T5Attention

    position = RelativeBias(buckets=32, max_distance=128, bidirectional=bidirectional)
    offsets = torch.arange(-300, 300)
    right = T5Attention._relative_position_bucket(offsets, bidirectional, 32, 128)
    assert [bucket(int(o), position) for o in offsets] == right.tolist()


def test_buckets_of_deberta() -> None:
    pytest.importorskip("transformers")
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    offsets = torch.arange(-600, 600)
    right = make_log_bucket_position(offsets, 256, 512)
    position = Disentangled(buckets=256, max_distance=512)
    assert [log_bucket(int(o), position) for o in offsets] == right.long().tolist()


LAMBDAS = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 2.0, 3.0, 4.0]}
SCALED = [
    ("linear", LinearScaling(factor=4.0), {"factor": 4.0}),
    ("dynamic", DynamicScaling(factor=3.0, original_max_positions=64), {"factor": 3.0}),
    (
        "llama3",
        Llama3(factor=8.0, original_max_positions=64),
        {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    ),
    ("yarn", Yarn(factor=4.0, original_max_positions=64), {"factor": 4.0}),
    (
        "yarn",
        Yarn(factor=4.0, original_max_positions=64, mscale=0.7, mscale_all_dims=0.4, beta_fast=8.0),
        {"factor": 4.0, "mscale": 0.7, "mscale_all_dim": 0.4, "beta_fast": 8.0},
    ),
    (
        "longrope",
        LongRope(
            short_factor=tuple(LAMBDAS["short_factor"]),
            long_factor=tuple(LAMBDAS["long_factor"]),
            original_max_positions=64,
        ),
        LAMBDAS,
    ),
]


@pytest.mark.parametrize("length", [40, 200])
@pytest.mark.parametrize(("kind", "scaling", "options"), SCALED)
def test_frequencies(kind: str, scaling: Any, options: dict[str, Any], length: int) -> None:
    pytest.importorskip("transformers")
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    longest = 64 if kind == "dynamic" else 256
    config = LlamaConfig(
        hidden_size=16,
        num_attention_heads=2,
        max_position_embeddings=longest,
        rope_parameters={
            "rope_type": kind,
            "rope_theta": 100.0,
            "original_max_position_embeddings": 64,
            **options,
        },
    )
    right, growth = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=length)
    per_position, by = SCALINGS[scaling.type](scaling, 100.0, 8, length, longest)
    assert np.allclose(per_position, right.double().numpy(), rtol=1e-6)
    assert by == pytest.approx(growth)


def test_sparse_mixer() -> None:
    pytest.importorskip("transformers")
    from transformers.models.phimoe.modeling_phimoe import sparsemixer

    logits = torch.tensor([[0.4, 0.39, -0.2, 0.41], [-0.5, -0.6, -0.55, -0.52]])
    weights, numbers = sparsemixer(logits, 0.05, False)
    for row, chosen in zip(range(2), numbers.tolist(), strict=True):
        found = sparse_mixer(logits[row].double().numpy(), 2, 0.05)
        assert [number for number, _ in found] == chosen
        assert np.allclose([share for _, share in found], weights[row].numpy(), atol=1e-6)
