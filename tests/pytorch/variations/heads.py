"""Heads: words, classes, vectors, pairs."""

from __future__ import annotations

from .base import BOTH, ENCODER, HEADLESS, Variation, both, decoder, encoder

TWO_TOWERS = """
name: two-towers
layers: 2
attention: {heads: 4}
positions: learned
stacks:
  a: {d_model: 16, input: {type: patches, image_size: 12, patch_size: 4, prefix_tokens: 1}}
  b: {d_model: 24, vocab_size: 31, max_positions: 24, mask: causal}
"""

ATTENTION_POOL = """
name: pooled-by-attention
positions: learned
stacks:
  image:
    d_model: 16
    layers: 1
    attention: {heads: 2}
    input: {type: patches, image_size: 8, patch_size: 4}
  pool:
    d_model: 16
    layers: 1
    input: {type: learned, tokens: 1}
    positions: none
    final_norm: false
    sublayers:
    - {type: mha, heads: 2, memory: image, residual: none, norm_placement: none}
    - {type: mlp, d_ff: 24}
  text: {d_model: 12, layers: 1, attention: {heads: 2}, vocab_size: 31, max_positions: 24}
head:
  type: contrastive
  size: 16
  bias: true
  loss: sigmoid
  towers: {pool: {pool: first, project: false}, text: {pool: last}}
"""
TOWERS = """
name: towers
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  query: {input: {argument: query_ids}}
  passage: {input: {argument: passage_ids}}
heads:
  q: {type: projection, size: 4, stack: query, pool: mean}
  p: {type: projection, size: 4, stack: passage, pool: mean}
"""

STEPS = """
name: steps
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  steps:
    layers: 0
    max_positions: 24
    input:
      - {type: features, argument: states, size: 5}
      - {type: features, argument: actions, size: 3}
    join: interleave
    positions: learned
  decoder: {input: {type: stack, stack: steps}, mask: causal}
heads:
  action: {stack: decoder, type: projection, places_of: states, size: 3}
"""

POOLS = (
    "none",
    "first",
    "last",
    "mean",
    "first_and_mean",
    "max",
    "attention",
    "{type: token, id: 5}",
)

LANGUAGE_MODELS = {
    "tied": "tied: true",
    "tied_bias": "tied: true, bias: true",
    "tied_transform": "tied: true, bias: true, transform: dense",
    "transform": "transform: {type: dense, bias: false, activation: tanh, norm: rmsnorm}",
    "inner_transform": "transform: {type: dense, inner: 10, bias: false, norm: none}",
    "wide_transform": "bias: true, transform: {type: dense, width: 24}",
    "scaled_by_the_width": "input_scale: 1/sqrt_d_model",
    "scaled": "input_scale: 0.5, scale: 2, softcap: 3, bias: true",
}


def pooled(pool: str) -> str:
    return (
        f"head={{type: classifier, classes: 3, pool: {pool}, hidden: 8, activation: tanh, "
        "dropout: 0.1}"
    )


ROWS: dict[str, Variation] = {
    "features_interleaved": Variation(STEPS),
    "towers": Variation(TOWERS),
    "contrastive": Variation(
        TWO_TOWERS,
        ("head={type: contrastive, size: 6, towers: {a: {pool: first}, b: {pool: mean}}}",),
    ),
    "contrastive_of_a_pool": Variation(ATTENTION_POOL),
    "contrastive_sigmoid": Variation(
        TWO_TOWERS,
        (
            "head={type: contrastive, size: 6, towers: {b: {pool: {type: token, id: 5}}, "
            "a: {pool: mean}}, loss: sigmoid, temperature: 0.1}",
        ),
    ),
    **{
        f"language_model_{k}": decoder(f"head={{type: language_model, {v}}}")
        for k, v in LANGUAGE_MODELS.items()
    },
    "language_model_tied_to_narrow_table": decoder(
        "input={width: 8}", "head={type: language_model, tied: true, transform: dense}"
    ),
    "language_model_tied_both": both("head={type: language_model, tied: true}"),
    **{f"classifier {pool}": encoder(pooled(pool)) for pool in POOLS},
    **{f"classifier of a decoder {pool}": decoder(pooled(pool)) for pool in POOLS},
    "classifier_plain": encoder("head={type: classifier, classes: 3}"),
    "classifier_normed": encoder(
        "head={type: classifier, classes: 3, pool: first, pooled_norm: true, norm: rmsnorm}"
    ),
    "classifier_hidden_normed": encoder(
        "head={type: classifier, classes: 3, pool: mean, hidden: 8, hidden_bias: false, "
        "hidden_norm: true}"
    ),
    "classifier_unbiased": encoder("head={type: classifier, classes: 3, bias: false}"),
    "projection": encoder("head={type: projection, size: 6, pool: mean, normalize: true}"),
    "projection_of_tokens": encoder(
        "head={type: projection, size: 6, activation: tanh, bias: false}"
    ),
    "no_head": encoder("head=none"),
    "no_head_decoder": decoder("head=none"),
    "no_head_both": both("head=none"),
    "three_heads": Variation(
        ENCODER.replace(HEADLESS, ""),
        (
            "heads={mlm: {type: language_model, tied: true, transform: dense}, "
            "nsp: {type: classifier, classes: 2, pool: first}, emb: {type: projection, size: 3}}",
        ),
    ),
    "heads_on_both_stacks": Variation(
        BOTH.replace(HEADLESS, ""),
        (
            "heads={a: {type: language_model, stack: decoder}, "
            "b: {type: classifier, stack: encoder, classes: 3, pool: mean}}",
        ),
    ),
}
