"""Stacks, and layers that differ or share."""

from __future__ import annotations

from .base import Variation, both, decoder, encoder

TWO_MEMORIES = """
name: two-memories
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  source: {input: {argument: source_ids}}
  image_text: {input: {argument: other_ids}}
  target:
    input: {argument: input_ids}
    mask: causal
    layers: 2
    blocks:
      a: {cross_attention: {memory: source}}
      b: {cross_attention: {memory: image_text}}
    pattern: [a, b]
head: language_model
"""

ROWS: dict[str, Variation] = {
    "decoder": decoder(),
    "encoder": encoder(),
    "encoder_decoder": both(),
    "two_memories": Variation(TWO_MEMORIES),
    "stacks_of_other_sizes": both(
        "decoder.d_model=24",
        "decoder.layers=3",
        "encoder.attention.heads=2",
        "encoder.max_positions=20",
        "encoder.vocab_size=29",
    ),
    "shared_layers": decoder("share=true"),
    "shared_layers_encoder": encoder("share=true", "layers=3"),
    "pattern": decoder(
        "layers=5",
        'blocks={a: {mask: "causal & window(3)"}, b: {positions: rotary}}',
        "pattern=[a * 2, b]",
    ),
    "pattern_of_shared_blocks": decoder(
        "layers=6",
        "blocks={a: {share: true}, b: {share: true, feed_forward: {type: glu}}}",
        "pattern=[a * 2, b]",
    ),
    "pattern_with_one_shared_block": decoder(
        "layers=6", "blocks={m: {attention: none}, s: {share: true}}", "pattern=[m * 2, s]"
    ),
    "overrides": decoder(
        "layers=4", "overrides={0: {attention: none}, -1: {feed_forward: {d_ff: 8}}}"
    ),
    "no_layers": decoder("layers=0"),
    "one_layer": decoder("layers=1"),
    "special_tokens": both("tokens={pad: 1, bos: 2, eos: 3, decoder_start: 4}"),
}
