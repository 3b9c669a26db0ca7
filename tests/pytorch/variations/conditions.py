"""Conditions, learned vectors, and images as outputs."""

from __future__ import annotations

from .base import Variation, decoder, encoder, images

QUERIES = """
name: queries
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  image: {input: {type: patches, image_size: 12, patch_size: 4}, positions: learned}
  queries:
    input: {type: learned, tokens: 3, normalize: true}
    positions: learned
    cross_attention: {memory: image}
"""

OBJECTS = """
name: objects
d_model: 16
layers: 2
attention: {heads: 4}
norm_placement: post
stacks:
  image:
    input: {type: patches, image_size: 12, patch_size: 4}
    positions: {type: sinusoidal, add_to: queries_and_keys, axes: 2, order: [row, column],
                layout: interleaved, coordinates: turn}
  objects:
    input: {type: zeros, tokens: 3}
    positions: {type: learned, add_to: queries_and_keys}
    cross_attention: {memory: image}
head: {type: projection, size: 4, hidden: [8, 6], hidden_activation: gelu, activation: sigmoid}
"""

POOLED = """
name: pooled
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  source: {input: {argument: source_ids}}
  target:
    input: {argument: input_ids}
    mask: causal
    layers: 2
    condition:
      type: adaln_zero
      activation: identity
      embed:
        - {type: pooled, stack: source, pool: mean, bias: false}
        - {type: vector, argument: style, size: 5, bias: false}
head: language_model
"""

ROWS: dict[str, Variation] = {
    "dit": images(
        "positions={type: sinusoidal, axes: 2}",
        "condition={type: adaln_zero, embed: [timestep, {type: label, classes: 3, dropout: 0.2}]}",
        "norm.affine=false",
        "head={type: patches, channels: 2, zero_init: true}",
        "input.prefix_tokens=1",
    ),
    "dit_rows_first": images(
        "positions={type: sinusoidal, axes: 2, order: [row, column], layout: interleaved, "
        "denominator: half_minus_one}",
        "input={image_size: [12, 8], registers: 2}",
        "head={type: patches, channels: 1, bias: false}",
    ),
    "dit_with_text": images(
        "input=[{type: features, size: 16}, {type: patches, image_size: [12, 8], patch_size: 4, "
        "prefix_tokens: 1}, {type: conv, argument: hint, axes: 2, image_size: 4, channels: 1, "
        "layers: [{channels: 16, kernel: 3, stride: 2}]}]",
        "max_positions=32",
        "head={type: patches, channels: 2}",
    ),
    "dit_before_text": images(
        "input=[{type: patches, image_size: 12, patch_size: 4}, {type: features, size: 16}]",
        "max_positions=32",
        "head={type: patches, channels: 2}",
    ),
    "adaln_sandwich": encoder(
        "condition={type: adaln, embed: [{type: timestep, argument: time, width: 6, layout: "
        "sin_cos, denominator: half_minus_one, hidden: 7, activation: relu}], activation: tanh}",
        "norm_placement=sandwich",
    ),
    "adaln_parallel": decoder(
        "condition={type: adaln_zero, embed: [{type: label, argument: kind, classes: 4}, "
        "{type: vector, argument: style, size: 3}]}",
        "residual={type: parallel, shared_norm: true}",
    ),
    "adaln_pooled": Variation(POOLED),
    "queries": Variation(QUERIES),
    "objects": Variation(OBJECTS),
}
