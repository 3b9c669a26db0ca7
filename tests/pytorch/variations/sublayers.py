"""Blocks with sublayers."""

from __future__ import annotations

from .base import Variation

CROSSING = """
name: crossing
vocab_size: 31
d_model: 16
layers: 2
stacks:
  source:
    input: {argument: source_ids}
    sublayers:
      - {type: conv, kernel: 4, dilation: 2, activation_first: true, residual: none}
      - {type: conv, kernel: 3, separable: true, residual: {from: block}}
      - {type: mha, heads: 4}
  target:
    input: {argument: input_ids}
    mask: causal
    sublayers:
      - {type: mha, heads: 4, memory: source}
      - {type: mha, heads: 2, positions: rotary}
      - {type: mlp, residual: {from: block, scale: 0.5}}
head: {type: language_model, stack: target}
"""

TWICE = """
name: twice
family: decoder-only
vocab_size: 31
d_model: 16
layers: 2
sublayers:
  - {type: mlp, d_ff: 24}
  - {type: mha, heads: 4, mask: "causal & window(3)", norm_placement: output}
  - {type: conv, kernel: 3, separable: true, causal: true, bias: false}
  - {type: mha, heads: 2}
  - {type: moe, experts: 4, top_k: 2, expert: {type: glu, d_ff: 12}}
  - {type: conv, kernel: 2, dilation: 2, causal: true}
head: language_model
"""

ENCODER = """
name: small
family: encoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
head: language_model
"""

CONDITIONED = """
name: conditioned
vocab_size: 31
d_model: 16
layers: 2
stacks:
  source: {input: {argument: source_ids}, attention: {heads: 2}}
  target:
    input: {argument: input_ids}
    mask: causal
    condition: {type: adaln_zero, embed: [{type: label, argument: style, classes: 3}]}
    blocks:
      a:
        sublayers:
          - {type: mha, heads: 4, norm_placement: sandwich}
          - {type: mlp, d_ff: 24}
          - {type: mha, heads: 2, memory: source, norm: none}
          - {type: mlp, norm_placement: post, residual: {from: block}}
          - {type: gru, hidden: 6, norm_placement: output}
      b:
        attention: {heads: 2}
        condition: {type: adaln, embed: [{type: label, argument: style, classes: 3}]}
    pattern: [a, b]
head: {type: language_model, stack: target}
"""

ROWS: dict[str, Variation] = {
    "sublayers_conditioned": Variation(CONDITIONED),
    "sublayers": Variation(CROSSING),
    "sublayers_twice": Variation(TWICE),
    "sublayers_linear": Variation(ENCODER, ("sublayers=[{type: linear, heads: 4}, {type: glu}]",)),
    "sublayers_fastformer": Variation(
        ENCODER, ("sublayers=[{type: fastformer, heads: 4}, {type: mlp}]",)
    ),
    "sublayers_collaborative": Variation(
        ENCODER, ("sublayers=[{type: collaborative, heads: 2}, {type: mlp}]",)
    ),
    "sublayers_differential": Variation(
        ENCODER, ("sublayers=[{type: differential, heads: 2}, {type: mlp}]",)
    ),
    "sublayers_mla": Variation(
        ENCODER,
        ("sublayers=[{type: mla, heads: 2, kv_rank: 6, nope_dim: 4, rope_dim: 2, value_dim: 3}]",),
    ),
}
