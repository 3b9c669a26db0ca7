"""Costs that random specs have found wrong: one test each, so that they stay right."""

from __future__ import annotations

import pytest

from modelwright.backends.verify import verify
from modelwright.spec import loads

from .test_found import IMAGE, changed

VECTORS = """
name: small
family: encoder-only
d_model: 8
layers: 1
norm: none
input: features
attention: {heads: 2}
"""
STATES = """
name: small
vocab_size: 24
d_model: 8
layers: 2
norm: none
residual: none
head: {type: language_model, stack: target}
stacks:
  source: {input: {argument: source_ids}, sublayers: [{type: lstm, hidden: 8, output: none}]}
  target:
    input: {argument: target_ids}
    sublayers:
    - type: lstm
      hidden: 8
      initial: {memory: source}
      attention: {memory: source, heads: 1, value: none, output: none, score: additive}
"""
STEPS = """
name: small
d_model: 8
attention: {heads: 2}
stacks:
  steps:
    layers: 0
    input: [{type: features, argument: states, size: 5}, {type: features, argument: acts, size: 3}]
    join: interleave
  text: {layers: 1, input: {type: stack, stack: steps}, mask: causal}
head: {type: projection, stack: text, places_of: states, size: 3}
"""
PATCHES = """
name: small
family: encoder-only
d_model: 8
layers: 2
input: {type: patches, image_size: 12, patch_size: 4}
norm_placement: post
attention: {heads: 2}
head: {type: projection, size: 3, pool: mean}
"""
LEARNED = """
name: small
d_model: 8
attention: {heads: 2}
head: {type: projection, stack: queries, size: 3, pool: mean}
stacks:
  text: {layers: 1, vocab_size: 24}
  queries:
    layers: 2
    input: {type: learned, tokens: 3}
    cross_attention: {memory: text, heads: 2}
    attention: none
    norm_placement: output
"""
POOLED = """
name: small
d_model: 8
attention: {heads: 2}
stacks:
  text: {layers: 1, vocab_size: 24}
  queries:
    layers: 1
    input: {type: learned, tokens: 3}
    condition: {type: adaln_zero, embed: [{type: pooled, stack: text, pool: attention}]}
    cross_attention: {memory: text, heads: 2}
head: {type: projection, stack: queries, size: 3, pool: mean}
"""
VIDEO = """
name: small
d_model: 8
attention: {heads: 2, score_bias: [{type: table, argument: pairs, entries: 5}]}
stacks:
  video:
    layers: 1
    input: {type: patches, image_size: 6, patch_size: 3, layout: video, frames: 4, tubelet_size: 1}
  queries: {layers: 1, input: {type: learned, tokens: 3}, attention: none,
    cross_attention: {memory: video, heads: 2}}
head: {type: projection, stack: queries, size: 3, pool: mean}
"""
FOUND = {
    # every second vector: a view that a product reads without a copy
    "the places of an interleaved input": STEPS,
    # random spec 116: the second of two attentions took the memory to be as long as the text
    "two attentions to an image": changed(
        IMAGE.replace("memory: image", "type: differential, memory: image, heads: 2"),
        "head: {type: projection, stack: text, size: 3, pool: mean}",
    ),
    # random spec 156: vectors of a condition that scale an input without a gradient
    "an input without a gradient, scaled by a condition": changed(
        VECTORS,
        "norm: {type: rmsnorm, affine: false}",
        "condition: {type: adaln_zero, embed: [{type: vector, argument: style, size: 3}]}",
    ),
    # random spec 156: queries of global tokens, which are put among the others
    "global tokens of the mask": changed(
        VECTORS, "attention: {heads: 2, separate_global: true}", "mask: full & global(0:1)"
    ),
    # random spec 193: normalised queries are contiguous, so that no product copies them
    "normalised queries of relative positions": changed(
        VECTORS,
        "attention: {heads: 2, qk_norm: {type: per_head, norm: rmsnorm}}",
        "positions: {type: disentangled, buckets: none, max_distance: 6}",
    ),
    # `kernel: tiles` was left out of the law, for a reason that was not true
    "tiles of heads with masks of their own and a softcap": changed(
        VECTORS,
        "attention: {heads: 2, softcap: 3, kernel: tiles}",
        "mask: [full & window(5), full & strided(3)]",
    ),
    # random spec 374: with tiles, each layer's table makes its own buckets
    "buckets of each layer": changed(
        VECTORS,
        "layers: 2",
        "positions: {type: relative_bias, buckets: 8, max_distance: 9, share: layer}",
        "mask: band(3)",
    ),
    # random spec 200402: of the rows of global tokens, `random` hides keys
    "tiles of global tokens that see some keys": changed(
        VECTORS, "attention: {heads: 2, kernel: tiles}", "mask: global(2) & random(4, 1)"
    ),
    # random spec 200319: the tokens of the stack that is pooled, not of the one with the condition
    "a condition that pools another stack": POOLED,
    # random spec 1611: only the normalised input is saved, for the weight
    "a norm of an input without a gradient": changed(VECTORS, "norm: rmsnorm"),
    # random spec 100250: not so in the layers that follow
    "a norm of an input without a gradient, in several layers": changed(
        VECTORS, "norm: rmsnorm", "layers: 3"
    ),
    # random spec 128: hidden states of an LSTM are views of what has its cells too
    "a cache of the states of an LSTM": STATES,
}


@pytest.mark.parametrize("name", FOUND)
def test_costs(name: str) -> None:
    (found,) = verify(loads(FOUND[name]), full_size=True, laws={"costs"}).findings
    assert found.holds, found.where
    assert found.error == 0


@pytest.mark.parametrize("text", [PATCHES, LEARNED])
def test_layers_that_copy_their_input_are_not_exact(text: str) -> None:
    """Without a norm before them, products each copy transposed patches, or (random spec 711030)
    learned tokens of several sequences.
    """
    (found,) = verify(loads(text), full_size=True, laws={"costs"}).findings
    assert found.holds, found.where
    assert "copies a view" in found.note


def test_pairs_of_a_video_are_as_many_as_its_patches() -> None:
    """Random spec 200085: there were as many as the tokens of the last stack."""
    (found,) = verify(loads(VIDEO), full_size=True, laws={"costs"}).findings
    assert found.holds, found.where


def test_two_rotated_features_are_laid_out_apart() -> None:
    """Random spec 200182: SDPA has no kernel for what `torch.cat` makes of single features."""
    text = changed(VECTORS, "positions: rotary", "attention: {heads: 4}")
    (found,) = verify(loads(text), full_size=True, laws={"costs"}).findings
    assert found.holds, found.where
    assert "FLOPs only" in found.note
