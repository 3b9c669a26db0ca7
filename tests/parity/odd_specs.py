"""Small specs with rare options that the examples do not use."""

from __future__ import annotations

DECODER = """
name: odd
family: decoder-only
vocab_size: 64
max_positions: 64
d_model: 32
layers: 3
positions: rotary
attention: {heads: 4}
feed_forward: {d_ff: 48}
head: {type: language_model, tied: true}
"""

ENCODER = """
name: odd
family: encoder-only
vocab_size: 64
max_positions: 64
d_model: 32
layers: 3
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48}
"""

TRANSLATOR = """
name: odd
family: encoder-decoder
vocab_size: 64
max_positions: 64
d_model: 32
layers: 3
positions: rotary
attention: {heads: 4}
feed_forward: {d_ff: 48}
head: {type: language_model, bias: true}
tokens: {pad: 0, eos: 2, decoder_start: 1}
"""


def changed(base: str, *lines: str) -> str:
    """A base with other lines: each takes the place of the one with its key, or is added."""
    kept = base.strip().splitlines()
    for line in lines:
        key = line.partition(":")[0]
        kept = [old for old in kept if old.partition(":")[0] != key] + [line]
    return "\n".join(kept) + "\n"


DECODES = {
    "window": changed(DECODER, "mask: causal & window(4)", "positions: alibi"),
    "blocks": changed(DECODER, "mask: causal & blocks(4)"),
    "neighbours": changed(DECODER, "mask: causal & blocks(3, 1)"),
    "strided": changed(DECODER, "mask: causal & (window(3) | strided(3))"),
    "fixed": changed(DECODER, "mask: causal & fixed(4, 1)"),
    "first tokens": changed(DECODER, "mask: causal & (window(4) | keys(0:2))"),
    "one-sided band": changed(DECODER, "mask: band(4, 0)"),
    "not": changed(DECODER, "mask: causal & ~(keys(2:4) & queries(6:9))"),
    "shared": changed(DECODER, "share: true", "layers: 4"),
    "shared by turns": changed(
        DECODER,
        "blocks: {local: {mask: causal & window(4), share: true}, global: {mask: causal}}",
        "pattern: [local * 2, global]",
        "layers: 5",
    ),
    "some without positions": changed(
        DECODER,
        "blocks: {turned: {positions: rotary}, free: {positions: none}}",
        "pattern: [turned, free]",
        "overrides: {-1: {attention: {heads: 2}, feed_forward: none}}",
    ),
    "contents and positions": changed(
        DECODER,
        "positions: {type: disentangled, buckets: 8, max_distance: 20, share_projections: true,"
        " normalize: true}",
        "dropout: 0.1",
    ),
    "contents and every distance": changed(
        DECODER,
        "positions: {type: disentangled, buckets: none, max_distance: 6}",
        "attention: {heads: 4, bias: [query, value], softcap: 4, scale: 0.3}",
        "share: true",
    ),
    "cosines": changed(DECODER, "attention: {heads: 4, score: cosine, scale: 8}"),
    "distances of contents": changed(
        DECODER, "attention: {heads: 4, kv_heads: 2, score: distance}", "mask: causal & window(5)"
    ),
    "sums": changed(DECODER, "attention: {heads: 4, score: additive}", "positions: alibi"),
    "masks for heads": changed(
        DECODER, "mask: [causal & window(4), causal & strided(3)]", "attention: {heads: 4}"
    ),
    "masks for heads and sinks": changed(
        DECODER,
        "mask: [causal, causal & blocks(4)]",
        "attention: {heads: 4, kv_heads: 2, sinks: true}",
        "positions: alibi",
    ),
    "asked twice": changed(
        DECODER, "positions: transformer_xl", "dropout: 0.1", "mask: causal & window(5)"
    ),
    "learned and distances": changed(
        DECODER,
        "positions: [learned, {type: relative_bias, buckets: 8, max_distance: 20,"
        " bidirectional: false, share: layer}]",
    ),
    "alibi ceil": changed(
        DECODER,
        "positions: {type: alibi, slopes: ceil, before_scale: true}",
        "attention: {heads: 6, head_dim: 10, kv_heads: 3, softcap: 4}",
    ),
    "alibi floor": changed(
        DECODER, "positions: {type: alibi, slopes: floor}", "attention: {heads: 6, head_dim: 10}"
    ),
    "positions past padding": changed(
        DECODER, "positions: {type: learned, offset: 1, skip_padding: mask}"
    ),
    "sinusoids": changed(
        DECODER,
        "positions: {type: sinusoidal, layout: interleaved, denominator: half_minus_one,"
        " offset: 2, skip_padding: mask}",
    ),
    "interleaved": changed(
        DECODER,
        "positions: {type: rotary, fraction: 0.5, layout: interleaved,"
        " scaling: {type: linear, factor: 3}}",
    ),
    "slowed positions": changed(
        DECODER,
        "positions: {type: rotary, scaling: {type: dynamic, factor: 2,"
        " original_max_positions: 16}}",
    ),
    "yarn": changed(
        DECODER,
        "positions: {type: rotary, fraction: 0.5, scaling: {type: yarn, factor: 4, beta_fast: 4,"
        " original_max_positions: 64, mscale_all_dims: 0.7}}",
    ),
    "long and short positions": changed(
        DECODER,
        "positions: {type: rotary, scaling: {type: longrope, original_max_positions: 16,"
        " short_factor: [1, 1.1, 1.2, 1.3], long_factor: [1, 2, 3, 4]}}",
    ),
    "sinks": changed(
        DECODER,
        "mask: causal & window(4)",
        "attention: {heads: 4, kv_heads: 2, sinks: true}",
    ),
    "latent": changed(
        DECODER,
        "attention: {type: mla, heads: 4, query_rank: 12, kv_rank: 10, nope_dim: 6, rope_dim: 4,"
        " value_dim: 5}",
        "positions: {type: rotary, layout: interleaved}",
    ),
    "latent translator": changed(
        TRANSLATOR,
        "attention: {type: mla, heads: 4, kv_rank: 10, nope_dim: 6, rope_dim: 4, value_dim: 5}",
        "decoder: {attention: {type: mha, heads: 4}, cross_attention: {type: mla,"
        " memory: encoder, heads: 2, kv_rank: 6, nope_dim: 4, rope_dim: 2, value_dim: 8,"
        " scale: 0.5}}",
    ),
    "gates": changed(
        DECODER,
        "blocks: {a: {attention: {output_gate: headwise}}, b: {attention: {output_gate:"
        " elementwise}}}",
        "pattern: [a, b]",
    ),
    "scaled by layer": changed(
        DECODER,
        "blocks: {a: {attention: {scale: by_layer}}, b: {}}",
        "pattern: [b, a]",
    ),
    "norms of queries": changed(
        DECODER,
        "attention: {heads: 4, kv_heads: 2, qk_norm: {type: per_head, after_positions: true},"
        " value_dim: 6, scale: 0.3, output_norm: true, clip_qkv: 0.8}",
    ),
    "norm of projections": changed(
        DECODER, "attention: {heads: 4, qk_norm: {type: projection, norm: rmsnorm}}"
    ),
    "norms": changed(
        DECODER,
        "norm: {type: layernorm, weight_offset: 1, eps: 1e-3}",
        "norm_placement: sandwich",
        "feed_forward: {type: glu, d_ff: 48, inner_norm: true, clamp: 0.6, linear_offset: 1}",
    ),
    "no weights in norms": changed(
        DECODER, "norm: {type: rmsnorm, affine: false}", "norm_placement: post", "final_norm: true"
    ),
    "residuals": changed(
        DECODER,
        "residual: {scale: 0.5, stream_scale: 1.5, layer_scale: 0.1, drop_path: 0.2}",
        "norm_placement: post",
    ),
    "residual of the normed": changed(DECODER, "residual: {from: normed}"),
    "no residual": changed(DECODER, "residual: none"),
    "parallel": changed(DECODER, "residual: {type: parallel, scale: 0.7}", "bias: false"),
    "narrow": changed(
        DECODER,
        "input: {width: 24, normalize: before_positions, scale: 3}",
        "positions: learned",
        "head: {type: language_model, tied: true, bias: true, transform: dense}",
    ),
    "scores": changed(
        DECODER,
        "head: {type: language_model, input_scale: 0.5, scale: 0.25, softcap: 2, bias: true}",
        "activation: {type: swish, beta: 1.7}",
    ),
    "quick": changed(DECODER, "activation: quick_gelu", "output_width: 24", "head: language_model"),
    "rates": changed(
        DECODER,
        "input: {dropout: 0.3, add: {layer_ids: 3, class_ids: 4}}",
        "dropout: 0.1",
        "attention: {heads: 4, dropout: 0.2}",
    ),
    "epsilons": changed(
        DECODER,
        "input: {normalize: true, norm: {type: rmsnorm, eps: 1e-2}}",
        "norm: {type: layernorm, eps: 1e-4}",
        "attention: {heads: 4, qk_norm: {type: head, norm: {type: rmsnorm, eps: 1e-3}}}",
    ),
    "windows": changed(
        DECODER, "mask: window(3) | causal & blocks(2) | causal & blocks(4) & window(9)"
    ),
    "tables": changed(
        DECODER,
        "positions: {type: relative_bias, buckets: 8, max_distance: 20, bidirectional: false}",
        "blocks: {a: {attention: {heads: 2}}, b: {}}",
        "pattern: [a, b]",
    ),
    "masks of the same atoms": changed(
        DECODER,
        "blocks: {a: {mask: causal & (window(3) | strided(3))}, b: {mask: causal & window(5)"
        " & strided(2)}, c: {mask: causal & (window(4) | strided(4))}}",
        "pattern: [a, b, c]",
    ),
    "masks of layers": changed(
        DECODER,
        "blocks: {a: {mask: causal}, b: {mask: causal & (window(3) | keys(0:2))}, c: {mask:"
        " [causal, causal & strided(2)]}}",
        "pattern: [a, b, c]",
    ),
    "a translator's masks of layers": changed(
        TRANSLATOR,
        "encoder: {blocks: {a: {mask: full}, b: {mask: causal}}, pattern: [a, b]}",
        "decoder: {blocks: {a: {mask: causal}, b: {mask: causal & window(3)}}, pattern: [a, b]}",
    ),
    "two causal masks": changed(
        TRANSLATOR,
        "encoder: {mask: causal, positions: alibi}",
    ),
    "translator": TRANSLATOR,
    "translator with distances": changed(
        TRANSLATOR,
        "positions: {type: relative_bias, buckets: 8, max_distance: 20, share: layer}",
        "decoder: {layers: 2, positions: {bidirectional: false}, mask: causal & window(4),"
        " cross_attention: {kv_heads: 2, scale: 0.4, softcap: 3, qk_norm: head}}",
        "norm_placement: post",
    ),
    "translator asked twice": changed(TRANSLATOR, "positions: transformer_xl"),
    "translator of one block": changed(TRANSLATOR, "share: true", "residual: parallel"),
    "two readers": """
name: two-readers
vocab_size: 64
d_model: 32
attention: {heads: 4}
feed_forward: {d_ff: 48}
positions: rotary
stacks:
  text: {layers: 2, input: {argument: text_ids}}
  hints: {layers: 1, d_model: 24, input: {argument: hint_ids}}
  answer:
    layers: 4
    mask: causal
    input: {argument: answer_ids}
    blocks:
      of_text: {cross_attention: {memory: text}}
      of_hints: {cross_attention: {memory: hints}}
    pattern: [of_text, of_hints]
head: {type: language_model, tied: true}
""",
}
"""Specs whose last stack keeps a cache."""

ENCODES = {
    "mean": changed(ENCODER, "head: {type: projection, size: 8, pool: mean, normalize: true}"),
    "max": changed(ENCODER, "head: {type: projection, size: 8, pool: max}", "positions: alibi"),
    "last": changed(ENCODER, "head: {type: classifier, classes: 3, pool: last, hidden: 16}"),
    "attention pool": changed(
        ENCODER, "head: {type: classifier, classes: 3, pool: attention}", "activation: relu2"
    ),
    "token": changed(ENCODER, "head: {type: classifier, classes: 3, pool: {type: token, id: 5}}"),
    "tagger": changed(ENCODER, "head: {type: classifier, classes: 3}", "positions: rotary"),
    "hidden states": changed(ENCODER, "norm_placement: post", "positions: sinusoidal"),
    "heads": changed(
        ENCODER,
        "heads: {words: {type: language_model, tied: true}, kind: {type: classifier,"
        " classes: 3, pool: first}}",
    ),
    "local": changed(ENCODER, "mask: band(2, 3) | global(0:1) | keys(-1:)"),
    "the same keys for all": changed(ENCODER, "mask: keys(0:3)"),
    "some queries": changed(ENCODER, "mask: queries(2:5)"),
    "random": changed(ENCODER, "mask: random(4, 2, 7) | band(1)"),
    "global rows apart": changed(
        ENCODER,
        "attention: {heads: 4, separate_global: true, dropout: 0.1}",
        "mask: band(2) | global(given) | global(-1:)",
    ),
    "causal layers and full ones": changed(
        ENCODER, "blocks: {a: {mask: causal}, b: {mask: full}}", "pattern: [a, b]"
    ),
    "dilated": changed(ENCODER, "mask: band(6) & strided(2)"),
    "two towers": """
name: two-towers
vocab_size: 64
d_model: 32
attention: {heads: 4}
feed_forward: {d_ff: 48}
positions: rotary
stacks:
  question: {layers: 2, input: {argument: question_ids}}
  answer: {layers: 1, d_model: 24, input: {argument: answer_ids}, mask: band(3)}
heads:
  asked: {type: projection, stack: question, size: 8, pool: mean}
  told: {type: projection, stack: answer, size: 8, pool: mean}
""",
}
"""Specs without a cache."""
