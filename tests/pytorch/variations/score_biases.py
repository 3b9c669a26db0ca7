"""Score biases from data."""

from __future__ import annotations

from .base import Variation

GRAPH = """
name: graph
family: encoder-only
vocab_size: 31
d_model: 16
layers: 2
input: {add: {token_type_ids: 5}}
attention:
  heads: 4
  score_bias:
    - {type: table, argument: spatial_pos, entries: 9}
    - {type: path, argument: edge_input, entries: 7, max_distance: 5}
head: language_model
"""

IMAGE = """
name: patches
family: encoder-only
d_model: 16
layers: 2
input: {type: patches, image_size: 8, patch_size: 4, prefix_tokens: 1, registers: 2}
attention:
  heads: 2
  score_bias:
    - {type: table, argument: spatial_pos, entries: 9}
    - {type: path, argument: edge_input, entries: 7, max_distance: 3}
head: {type: classifier, classes: 3, pool: first}
"""

BY_LAYER = (
    "attention.score_bias=[{type: table, argument: pairs, entries: 5, share: layer}, "
    "{type: path, argument: paths, entries: 3, max_distance: 2, width: 6, share: layer}]",
)

STACKS = """
name: stacks
vocab_size: 31
d_model: 16
layers: 2
stacks:
  source:
    input: {argument: input_ids}
    attention: {heads: 2}
  target:
    input: {argument: decoder_input_ids, add: {decoder_token_type_ids: 3}}
    mask: causal
    attention: {heads: 4, score_bias: [{type: table, argument: pairs, entries: 5}]}
    cross_attention: {memory: source, score_bias: []}
head: {type: language_model, stack: target}
"""

ROWS: dict[str, Variation] = {
    "score_biases": Variation(GRAPH),
    "score_biases_by_layer": Variation(GRAPH, BY_LAYER),
    "score_biases_and_alibi": Variation(GRAPH, ("positions=alibi", "mask=band(3)")),
    "score_biases_of_vectors": Variation(GRAPH, ("input={type: features, size: 6}",)),
    "score_biases_of_patches": Variation(IMAGE),
    "score_biases_of_a_decoder": Variation(STACKS),
}
