"""One small spec for every option of the language that can be built, and inputs to try it on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelwright.backends.pytorch import Emitted, emit_file
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, loads
from modelwright.spec.embedding import ConvStem, Features, Patches

Arrays = dict[str, NDArray[Any]]

BATCH, TOKENS, MEMORY = 3, 9, 7
FRAMES = 24  # of a signal
PAD, MARK = 1, 5  # ids that stand for padding, and once in every sequence
VOCABULARY, FIRST_WORD = 31, 6

DECODER = """
name: small
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
attention: {heads: 4}
head: language_model
"""
ENCODER = DECODER.replace("decoder-only", "encoder-only")
BOTH = DECODER.replace("decoder-only", "encoder-decoder")
IMAGES = """
name: small
family: encoder-only
d_model: 16
layers: 2
input: {type: patches, image_size: 12, patch_size: 4}
positions: learned
attention: {heads: 4}
head: {type: classifier, classes: 3, pool: mean}
"""
HEADLESS = "head: language_model\n"

TWO_TOWERS = """
name: two-towers
layers: 2
attention: {heads: 4}
positions: learned
stacks:
  a: {d_model: 16, input: {type: patches, image_size: 12, patch_size: 4, prefix_tokens: 1}}
  b: {d_model: 24, vocab_size: 31, max_positions: 24, mask: causal}
"""
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


@dataclass(frozen=True)
class Variation:
    """A base text with values written over it."""

    text: str
    sets: tuple[str, ...] = ()


def decoder(*sets: str) -> Variation:
    return Variation(DECODER, sets)


def encoder(*sets: str) -> Variation:
    return Variation(ENCODER, sets)


def both(*sets: str) -> Variation:
    return Variation(BOTH, sets)


def images(*sets: str) -> Variation:
    return Variation(IMAGES, sets)


POSITIONS = {
    "learned": "learned",
    "learned_from_2": "{type: learned, offset: 2}",
    "learned_past_mask": "{type: learned, offset: 2, skip_padding: mask}",
    "sinusoidal": "sinusoidal",
    "sinusoidal_interleaved": "{type: sinusoidal, layout: interleaved, offset: 1}",
    "sinusoidal_denominator": "{type: sinusoidal, denominator: half_minus_one}",
    "sinusoidal_past_mask": "{type: sinusoidal, skip_padding: mask}",
    "rotary": "rotary",
    "rotary_part": "{type: rotary, fraction: 0.5, theta: 500}",
    "rotary_interleaved": "{type: rotary, layout: interleaved}",
    "rotary_interleaved_part": "{type: rotary, layout: interleaved, fraction: 0.5}",
    "rotary_linear": "{type: rotary, scaling: {type: linear, factor: 2}}",
    "rotary_llama3": "{type: rotary, scaling: {type: llama3, factor: 8, low_freq_factor: 2, "
    "high_freq_factor: 5, original_max_positions: 8}}",
    "rotary_dynamic": "{type: rotary, theta: 500, scaling: {type: dynamic, factor: 3, "
    "original_max_positions: 4}}",
    "rotary_yarn": "{type: rotary, theta: 30, scaling: {type: yarn, factor: 8, "
    "original_max_positions: 16, beta_fast: 2, beta_slow: 0.5, mscale: 2}}",
    "rotary_yarn_scores": "{type: rotary, scaling: {type: yarn, factor: 4, truncate: false, "
    "original_max_positions: 64, mscale_all_dims: 0.5}}",
    "rotary_longrope": "{type: rotary, scaling: {type: longrope, short_factor: [1, 1.5], "
    "long_factor: [2, 4], original_max_positions: 4}}",
    "rotary_longrope_short": "{type: rotary, scaling: {type: longrope, short_factor: [1, 1.5], "
    "long_factor: [2, 4], original_max_positions: 12}}",
    "rotary_longrope_mscales": "{type: rotary, scaling: {type: longrope, short_factor: [1, 1.5], "
    "long_factor: [2, 4], original_max_positions: 4, short_mscale: 1.1, long_mscale: 1.3}}",
    "alibi": "alibi",
    "alibi_before_scale": "{type: alibi, before_scale: true}",
    "relative": "{type: relative_bias, buckets: 8, max_distance: 16}",
    "relative_one_sided": "{type: relative_bias, bidirectional: false, buckets: 8}",
    "relative_by_layer": "{type: relative_bias, share: layer, buckets: 8, max_distance: 16}",
    "disentangled": "{type: disentangled, buckets: 4, max_distance: 9, normalize: true}",
    "disentangled_shared": "{type: disentangled, buckets: 4, max_distance: 8, "
    "share_projections: true}",
    "disentangled_every_distance": "{type: disentangled, buckets: none, max_distance: 5}",
    "disentangled_one_term": "[{type: disentangled, terms: [position_to_content], buckets: 6, "
    "max_distance: 20, share_projections: true, normalize: true}, alibi]",
    "transformer_xl": "transformer_xl",
    "transformer_xl_and_distances": "[transformer_xl, {type: relative_bias}]",
    "learned_rotary_alibi": "[learned, rotary, alibi]",
    "learned_relative_alibi": "[learned, {type: relative_bias}, alibi]",
}
MASKS = (
    "full",
    "causal",
    "causal & window(3)",
    "window(3)",
    "band(2)",
    "band(3, 1)",
    "band(2) & causal",
    "strided(3)",
    "causal & strided(3)",
    "causal & fixed(4, 1)",
    "fixed(4, 2)",
    "blocks(4)",
    "blocks(4, 1)",
    "causal & blocks(4)",
    "random(2, 2)",
    "blocks(2) | random(2, 1, 7)",
    "blocks(2, 1) | global(0:2) | global(-2:) | random(2, 2)",
    "causal | prefix",
    "documents",
    "causal & documents",
    "band(2) | global(given)",
    "global(2) | band(1)",
    "causal & keys(0:4) | keys(2:-1)",
    "queries(1:3) | causal",
    "queries(-3:-1) | causal",
    "keys(-3:) | causal",
    "~causal",
    "~causal | band(0)",
    "causal & ~(strided(2) & band(5))",
)
MASKS_OF_LAYERS = (
    ("causal", "full"),
    ("full", "causal", "band(2)"),
    ("causal", "causal & window(3)", "causal & documents"),
    ("causal", "causal | prefix"),
)
ACTIVATIONS = (
    "gelu",
    "gelu_tanh",
    "quick_gelu",
    "relu",
    "relu2",
    "silu",
    "tanh",
    "sigmoid",
    "identity",
    "{type: swish, beta: 1.7}",
)
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

NORMS = {
    "rmsnorm": "norm={type: rmsnorm, eps: 1e-3}",
    "no_norm": "norm=none",
    "layernorm_without_bias": "norm={bias: false, eps: 1e-3}",
    "layernorm_plain": "norm={affine: false}",
    "layernorm_offset": "norm={weight_offset: 1}",
    "layernorm_offset_without_bias": "norm={weight_offset: 1, bias: false}",
    "rmsnorm_offset": "norm={type: rmsnorm, weight_offset: 1}",
    "rmsnorm_plain": "norm={type: rmsnorm, affine: false}",
    "post": "norm_placement=post",
    "sandwich": "norm_placement=sandwich",
    "output": "norm_placement=output",
    "unplaced": "norm_placement=none",
    "no_final_norm": "final_norm=false",
    "own_norm": "attention.norm=rmsnorm",
}
RESIDUALS = {
    "parallel": "residual=parallel",
    "parallel_shared_norm": "residual={type: parallel, shared_norm: true}",
    "scaled": "residual={scale: 0.5, stream_scale: 2}",
    "layer_scale": "residual={layer_scale: 0.1}",
    "parallel_scaled": "residual={type: parallel, layer_scale: 0.1, scale: 0.3, "
    "stream_scale: 1.5, drop_path: 0.1}",
    "drop_path": "residual={drop_path: 0.2}",
    "from_normed": "residual={from: normed}",
    "parallel_from_normed": "residual={type: parallel, shared_norm: true, from: normed}",
    "no_residual": "residual=none",
}
ATTENTIONS = {
    "grouped": "{heads: 4, kv_heads: 2}",
    "multi_query": "{heads: 4, kv_heads: 1}",
    "head_dim": "{heads: 4, head_dim: 6}",
    "value_dim": "{heads: 4, value_dim: 6}",
    "bias_list": "{heads: 4, bias: [query, value]}",
    "bias_list_of_others": "{heads: 4, bias: [key, output]}",
    "unbiased": "{heads: 4, bias: false}",
    "unscaled": "{heads: 4, scale: none}",
    "scaled_by_layer": "{heads: 4, scale: by_layer}",
    "scale": "{heads: 4, scale: 0.3}",
    "qk_norm_head": "{heads: 4, qk_norm: head}",
    "qk_norm_projection": "{heads: 4, qk_norm: projection}",
    "qk_norm_per_head": "{heads: 4, qk_norm: per_head}",
    "qk_norm_per_head_rms": "{heads: 4, qk_norm: {type: per_head, norm: rmsnorm}}",
    "qk_norm_per_head_without_bias": "{heads: 4, qk_norm: {type: per_head, norm: {bias: false}}}",
    "qk_norm_offset": "{heads: 4, qk_norm: {norm: {type: rmsnorm, weight_offset: 1}, type: head}}",
    "qk_norm_per_head_offset": "{heads: 4, qk_norm: {type: per_head, norm: {weight_offset: 1}}}",
    "qk_norm_per_head_offset_without_bias": "{heads: 4, qk_norm: {type: per_head, norm: "
    "{weight_offset: 1, bias: false}}}",
    "qk_norm_per_head_offset_rms": "{heads: 4, qk_norm: {type: per_head, norm: "
    "{type: rmsnorm, weight_offset: 1}}}",
    "softcap": "{heads: 4, softcap: 5}",
    "softcap_grouped": "{heads: 4, kv_heads: 2, softcap: 5, dropout: 0.2, scale: 0.2}",
    "clip": "{heads: 4, clip_qkv: 0.5}",
    "clip_of_norms": "{heads: 4, clip_qkv: 0.5, qk_norm: {type: projection, before_clip: true}}",
    "clip_of_norms_of_heads": "{heads: 4, clip_qkv: 0.5, qk_norm: {type: head, before_clip: true}}",
    "sinks": "{heads: 4, sinks: true}",
    "sinks_grouped": "{heads: 4, kv_heads: 2, sinks: true, dropout: 0.2, scale: 0.2}",
    "sinks_softcap": "{heads: 4, kv_heads: 2, sinks: true, softcap: 5}",
    "output_norm": "{heads: 4, output_norm: true}",
    "gate": "{heads: 4, output_gate: elementwise, value_dim: 6}",
    "gate_of_heads": "{heads: 4, output_gate: headwise, kv_heads: 2, bias: [query, output]}",
    "gate_and_norm": "{heads: 4, output_gate: headwise, output_norm: true}",
    "dropout": "{heads: 4, dropout: 0.2}",
    "post_norm": "{heads: 4, norm_placement: post}",
}
LATENT = "type: mla, heads: 2, kv_rank: 6, nope_dim: 5, rope_dim: 4, value_dim: 3"
LATENTS = {
    "": "",
    "queries": ", query_rank: 7, latent_eps: 1e-2",
    "scale": ", scale: 0.4, dropout: 0.2, bias: false",
    "unscaled": ", scale: none",
}
FEED_FORWARDS = {
    "hidden": "{hidden: 24, bias: false}",
    "hidden_multiple": "{hidden: 3/2 * d_model}",
    "inner_norm": "{inner_norm: true, hidden_dropout: 0.1}",
    "own_norm": "{norm: rmsnorm, norm_placement: output}",
    "glu": "{type: glu, hidden: 24, activation: silu}",
    "glu_clamped": "{type: glu, hidden: 24, activation: {type: swish, beta: 1.7}, clamp: 0.5, "
    "linear_offset: 1}",
    "glu_inner_norm": "{type: glu, inner_norm: true, bias: false, hidden_dropout: 0.2}",
    "glu_own_norm": "{type: glu, norm: rmsnorm, norm_placement: none}",
    "none": "none",
}
EXPERTS = {
    "plain": "expert: mlp",
    "weights_of_all": "router: {normalize: false, scale: 2.5, bias: true}",
    "sigmoid": "router: {score: sigmoid, scale: 0.5}",
    "sigmoid_of_all": "router: {score: sigmoid, normalize: false}",
    "selection_bias": "router: {selection_bias: true}",
    "sigmoid_in_groups": "router: {score: sigmoid, selection_bias: true, "
    "groups: {count: 4, top_k: 2, score: top2_sum}}",
    "groups": "router: {normalize: false, groups: {count: 4, top_k: 3}}",
    "groups_by_two": "router: {groups: {count: 2, top_k: 1, score: top2_sum}}",
    "sparsemixer": "router: {score: sparsemixer, jitter: 0.4}",
    "glu": "expert: {type: glu, hidden: 12, activation: silu, hidden_dropout: 0.1}",
    "glu_clamped": "router: {bias: true}, expert: {type: glu, hidden: 12, clamp: 0.5, "
    "linear_offset: 1, activation: {type: swish, beta: 1.7}, bias: true}",
    "unbiased": "expert: {bias: false, hidden: 2 * d_model, hidden_dropout: 0.1}",
    "shared": "shared_expert: {type: glu, hidden: 12, hidden_dropout: 0.2}",
    "shared_gated": "shared_expert: {hidden: 24}, shared_gate: true, norm: rmsnorm",
}
INPUTS = {
    "scale_sqrt": "{scale: sqrt_d_model}",
    "scale": "{scale: 3.5, dropout: 0.1}",
    "width": "{width: 8}",
    "width_before": "{width: 8, project: before_positions, normalize: true}",
    "normalized_before": "{normalize: before_positions, norm: rmsnorm}",
    "vocabulary": "{vocab_size: 40}",
    "added": "{add: {token_type_ids: 2, row_ids: 3}, normalize: before_positions}",
}
LINEARS = {
    "plain": "bias: false",
    "wide": "head_dim: 6, feature_map: relu, bias: true",
    "softmax": "feature_map: softmax, output_norm: layernorm",
    "plain_sums": "feature_map: identity, normalize: false, output_gate: headwise",
    "lightning": "feature_map: silu, map_values: true, normalize: false, decay: lightning, "
    "output_norm: {type: rmsnorm, eps: 1e-6}, output_gate: elementwise, bias: false",
    "fading": "decay: lightning",
}
STEMS = {
    "plain": "channels: 5, layers: [{channels: 16, kernel: 3}]",
    "whisper": "channels: 5, layers: [{channels: 12, kernel: 3}, "
    "{channels: 16, kernel: 3, stride: 2}]",
    "separable": "channels: 4, activation: relu, layers: [{channels: 8, kernel: 3, stride: 2, "
    "separable: true}, {channels: 8, kernel: 1}, {channels: 16, kernel: 5, dilation: 2}]",
    "wide": "channels: 4, argument: sound, normalize: before_positions, "
    "layers: [{channels: 16, kernel: 7, stride: 3, dilation: 2, separable: true}]",
}
PATCHES = {
    "plain": (),
    "cls": ("input.prefix_tokens=1", "head.pool=first"),
    "no_positions": ("positions=none", "input.prefix_tokens=1"),
    "averaged": (
        "input={prefix_tokens: 2, registers: 1}",
        "head={type: classifier, classes: 3, pool: {type: mean, skip: 3}, pooled_norm: true}",
    ),
    "first_and_averaged": (
        "input={prefix_tokens: 1, registers: 2}",
        "head={type: classifier, classes: 3, pool: {type: first_and_mean, skip: 3}}",
    ),
    "two_tokens": ("input={prefix_tokens: 2, bias: false, channels: 1, normalize: true}",),
    "registers": ("input={prefix_tokens: 1, registers: 3, dropout: 0.1}",),
    "registers_alone": ("input={registers: 2, normalize: before_positions}", "head=none"),
    "left_over": ("input={image_size: 14, argument: image}", "dropout=0.1"),
    "sinusoidal": ("positions=sinusoidal", "input.prefix_tokens=1", "head.pool=last"),
    "rotary": ("positions=[learned, rotary]", "head.pool=max"),
    "alibi": ("positions=alibi", "head.pool=attention"),
    "relative": ("positions={type: relative_bias, buckets: 8}", "head.pool=none"),
    "table": ("positions=relative_table",),
    "table_behind": ("positions={type: relative_table, share: stack}", "input.prefix_tokens=2"),
    "disentangled": ("positions={type: disentangled, buckets: 4, max_distance: 8}",),
    "sinks": ("attention={heads: 4, sinks: true}",),
    "softcap": ("attention={heads: 4, softcap: 5}",),
    "band": ("mask=band(2)", "head={type: projection, size: 4, pool: mean}"),
    "causal": ("mask=causal", "attention={heads: 4, softcap: 5}"),
    "causal_window": ('mask="causal & window(3)"', "positions=alibi"),
}
LANGUAGE_MODELS = {
    "tied": "tied: true",
    "tied_bias": "tied: true, bias: true",
    "tied_transform": "tied: true, bias: true, transform: dense",
    "transform": "transform: {type: dense, bias: false, activation: tanh, norm: rmsnorm}",
    "wide_transform": "bias: true, transform: {type: dense, width: 24}",
    "scaled": "input_scale: 0.5, scale: 2, softcap: 3, bias: true",
}
INITIALS = (
    "{type: normal, std: 0.1}",
    "{type: normal, depth_scaled: true}",
    "{type: truncated_normal, std: 0.1}",
    "xavier",
    "orthogonal",
)


SCORES = {
    "cosine": "score: cosine, scale: 7",
    "distance": "score: distance",
    "distance_scaled": "score: distance, scale: 0.3",
    "additive": "score: additive",
    "additive_scaled": "score: additive, scale: 0.3",
}


def pooled(pool: str) -> str:
    return (
        f"head={{type: classifier, classes: 3, pool: {pool}, hidden: 8, activation: tanh, "
        "dropout: 0.1}"
    )


def in_turns(*masks: str) -> tuple[str, str]:
    """Layers that have these masks, one after the other."""
    kinds = dict(zip("abc", masks, strict=False))
    blocks = ", ".join(f'{kind}: {{mask: "{mask}"}}' for kind, mask in kinds.items())
    return f"blocks={{{blocks}}}", f"pattern=[{', '.join(kinds)}]"


VARIATIONS: dict[str, Variation] = {
    "decoder": decoder(),
    "encoder": encoder(),
    "encoder_decoder": both(),
    "two_memories": Variation(TWO_MEMORIES),
    "towers": Variation(TOWERS),
    **{f"positions_{k}_decoder": decoder(f"positions={v}") for k, v in POSITIONS.items()},
    **{f"positions_{k}_encoder": encoder(f"positions={v}") for k, v in POSITIONS.items()},
    **{f"positions_{k}_both": both(f"positions={v}") for k, v in POSITIONS.items()},
    "positions_learned_past_pad": encoder(
        "positions={type: learned, offset: 2, skip_padding: tokens}", f"tokens.pad={PAD}"
    ),
    "positions_sinusoidal_past_pad": encoder(
        "positions={type: sinusoidal, skip_padding: tokens}", f"tokens.pad={PAD}"
    ),
    "alibi_of_6_heads": decoder("positions=alibi", "attention={heads: 6, head_dim: 4}"),
    "alibi_ceil": decoder(
        "positions={type: alibi, slopes: ceil}", "attention={heads: 6, head_dim: 4}"
    ),
    **{f"mask {formula}": encoder(f'mask="{formula}"') for formula in MASKS},
    "masks_of_heads": encoder('mask=["band(2)", "full"]'),
    "masks_of_heads_padded": encoder(
        'mask=["band(2) | global(given)", "documents", "strided(2)", "strided(3)"]',
        "positions=alibi",
    ),
    "masks_of_heads_of_a_decoder": decoder(
        'mask=["causal & window(4)", "causal & strided(4)"]', "attention={heads: 4, kv_heads: 2}"
    ),
    "masks_of_heads_in_some_layers": decoder(
        "layers=3",
        'blocks={a: {mask: ["causal & window(3)", causal]}, b: {mask: causal, attention: '
        "{softcap: 4}}}",
        "pattern=[a, b]",
        "dropout=0.1",
    ),
    **{
        f"mask of a decoder {formula}": decoder(f'mask="{formula}"', "positions=rotary")
        for formula in ("causal & window(3)", "causal | prefix", "causal & documents")
    },
    **{f"norm_{k}": decoder(v, "dropout=0.1") for k, v in NORMS.items()},
    **{f"residual_{k}": decoder(v, "dropout=0.1") for k, v in RESIDUALS.items()},
    "residual_parallel_sandwich": decoder("residual=parallel", "norm_placement=sandwich"),
    "residual_parallel_both": both("residual=parallel"),
    "no_bias": decoder("bias=false"),
    **{
        f"attention_{k}": decoder(f"attention={v}", "positions=rotary")
        for k, v in ATTENTIONS.items()
    },
    **{f"attention_{k}_both": both(f"attention={v}") for k, v in ATTENTIONS.items()},
    **{
        f"attention_latent_{k}": decoder(f"attention={{{LATENT}{v}}}", "positions=rotary")
        for k, v in LATENTS.items()
    },
    **{
        f"attention_latent_{k}": Variation(text.replace("{heads: 4}", f"{{{LATENT}}}"), sets)
        for k, text, sets in (
            ("both", BOTH, ("positions={type: rotary, layout: interleaved}",)),
            ("encoder", ENCODER, ("positions=[alibi, learned]", "mask=band(2)")),
            ("yarn", DECODER, (f"positions={POSITIONS['rotary_yarn_scores']}",)),
            ("without_positions", DECODER, ("attention.query_rank=5", "norm=rmsnorm")),
            (
                "in_some_layers",
                DECODER,
                ("blocks={a: {attention: {type: mha, heads: 2}}, b: {}}", "pattern=[a, b]"),
            ),
        )
    },
    **{
        f"attention_qk_norm_{kind}_after_positions": decoder(
            f"attention={{heads: 4, qk_norm: {{type: {kind}, after_positions: true}}}}",
            "positions=rotary",
        )
        for kind in ("head", "per_head")
    },
    "attention_softcap_alibi": decoder(
        "attention={heads: 4, kv_heads: 2, softcap: 5}", "positions=alibi"
    ),
    **{
        f"score_{score}_{name}": Variation(text, (f"attention={{heads: 4, {said}{more}}}", *sets))
        for score, said in SCORES.items()
        for name, text, more, sets in (
            ("decoder", DECODER, ", kv_heads: 2, value_dim: 6", ()),
            ("encoder", ENCODER, ", dropout: 0.2", ("positions=alibi", "mask=band(3)")),
            ("encoder_scaled", ENCODER, "", ()),
            ("both", BOTH, ", qk_norm: head", ()),
        )
    },
    "attention_sinks_alibi": decoder("attention={heads: 4, sinks: true}", "positions=alibi"),
    "attention_sinks_alibi_softcap": encoder(
        "attention={heads: 4, sinks: true, softcap: 3}", "positions=alibi", "mask=band(2)"
    ),
    "attention_sinks_in_some_layers": decoder(
        "layers=3",
        'blocks={a: {mask: "causal & window(3)", attention: {sinks: true}}, b: {mask: causal}}',
        "pattern=[a, b]",
    ),
    **{
        f"masks_of_layers {' and '.join(masks)}": decoder(
            *in_turns(*masks), "positions=rotary", "layers=3", "dropout=0.1"
        )
        for masks in MASKS_OF_LAYERS
    },
    "masks_of_layers_both": both(
        *(
            f"{stack}.{pattern}"
            for stack, masks in (("encoder", ("full", "causal")), ("decoder", ("causal", "full")))
            for pattern in in_turns(*masks)
        ),
        "decoder.layers=3",
    ),
    "attention_scaled_disentangled": decoder(
        "attention={heads: 4, scale: 0.3, qk_norm: head, bias: [query], value_dim: 6}",
        "positions={type: disentangled, buckets: 4, max_distance: 9}",
        "dropout=0.1",
    ),
    "attention_unscaled_disentangled": decoder(
        "attention={heads: 4, scale: none, softcap: 5}",
        "positions={type: disentangled, buckets: 4, max_distance: 9, share_projections: true}",
    ),
    "attention_scaled_transformer_xl": decoder(
        "attention={heads: 4, scale: 0.3, qk_norm: head, bias: false, value_dim: 6}",
        "positions=transformer_xl",
        "dropout=0.1",
        "share=true",
    ),
    "attention_unscaled_transformer_xl": encoder(
        "attention={heads: 4, scale: none, softcap: 5, head_dim: 6}", "positions=transformer_xl"
    ),
    "separate_global": encoder(
        "attention={heads: 4, separate_global: true}", 'mask="band(2) | global(given)"'
    ),
    "separate_global_ranges": encoder(
        "attention={heads: 4, kv_heads: 2, separate_global: true, bias: [query], qk_norm: head, "
        "value_dim: 6, dropout: 0.1}",
        'mask="band(1) | global(0:2) | global(-2:) | global(given)"',
        "positions=[rotary, alibi]",
    ),
    "separate_global_of_a_decoder": decoder(
        "attention={heads: 4, separate_global: true, softcap: 5}",
        'mask="causal & (window(3) | global(3))"',
        "blocks={a: {}, b: {attention: {separate_global: false}}}",
        "pattern=[a, b]",
    ),
    "disentangled_by_turns": encoder(
        "layers=4",
        "blocks={a: {positions: {type: disentangled, buckets: 4, max_distance: 9}}, "
        "b: {positions: {type: disentangled, buckets: none, max_distance: 4}, share: true}}",
        "pattern=[a, b]",
    ),
    "attention_scaled_by_layer_in_an_encoder": encoder(
        "attention={heads: 4, scale: by_layer, softcap: 3}", "layers=3", "share=true"
    ),
    "attention_scaled_by_layer_shared": decoder(
        "attention={heads: 4, scale: by_layer}", "layers=3", "share=true"
    ),
    "attention_none": decoder("attention=none"),
    "cross_attention_own_options": both(
        "attention.kv_heads=2",
        "decoder.cross_attention={bias: false, scale: none, heads: 2}",
    ),
    "decoder_without_cross_attention": both(
        "decoder.blocks={a: {}, b: {cross_attention: none}}", "decoder.pattern=[a, b]"
    ),
    **{f"feed_forward_{k}": decoder(f"feed_forward={v}") for k, v in FEED_FORWARDS.items()},
    **{
        f"experts_{k}": decoder(f"feed_forward={{type: moe, experts: 8, top_k: 3, {v}}}")
        for k, v in EXPERTS.items()
    },
    **{
        f"linear_{k}": decoder(f"attention={{type: linear, heads: 4, {v}}}")
        for k, v in LINEARS.items()
    },
    "fastformer": encoder(
        "attention={type: fastformer, heads: 4, dropout: 0.1}", "positions=learned"
    ),
    "fastformer_xavier": encoder(
        "attention={type: fastformer, heads: 2, bias: false}", "init=xavier", "norm_placement=post"
    ),
    "fastformer_of_images": images("attention={type: fastformer, heads: 2}"),
    "linear_encoder": encoder("attention={type: linear, heads: 4}", "positions=learned"),
    "linear_encoder_gated": encoder(
        "attention={type: linear, heads: 2, normalize: false, output_norm: rmsnorm, "
        "output_gate: headwise, feature_map: softmax}"
    ),
    "linear_both": both("attention={type: linear, heads: 4}", "positions=sinusoidal"),
    "linear_beside_others": decoder(
        "layers=3",
        "blocks={linear: {attention: {type: linear, heads: 4, decay: lightning}}, "
        "full: {positions: rotary}}",
        "pattern=[linear * 2, full]",
    ),
    **{
        f"experts_{k}": encoder(f"feed_forward={{type: moe, experts: 4, top_k: {v}}}")
        for k, v in {
            "capacity": "2, capacity: 3",
            "capacity_of_the_switch": "1, capacity: 2, router: {normalize: false}",
            "capacity_factor": "2, capacity_factor: 0.5, expert: {bias: false}",
        }.items()
    },
    "experts_both": both("feed_forward={type: moe, experts: 4, top_k: 2}", "init=xavier"),
    "experts_after_dense_layers": decoder(
        "layers=3",
        "feed_forward={type: moe, experts: 4, top_k: 1, expert: {type: glu, hidden: 8}, "
        "router: {normalize: false}, "
        "shared_expert: {hidden: 12}}",
        "overrides={0: {feed_forward: {type: glu, hidden: 24}}}",
        "init={type: normal, depth_scaled: true}",
    ),
    **{f"activation {a}": decoder(f"activation={a}") for a in ACTIVATIONS},
    **{f"input_{k}": encoder(f"input={v}", "positions=learned") for k, v in INPUTS.items()},
    **{f"patches_{k}": images(*v) for k, v in PATCHES.items()},
    "captions": both(
        "encoder.input={type: patches, image_size: 12, patch_size: 4, prefix_tokens: 1}",
        "encoder.positions=learned",
        "decoder.positions=learned",
    ),
    **{f"stem_{k}": both(f"encoder.input={{type: conv, {v}}}") for k, v in STEMS.items()},
    "features": encoder("input={type: features, size: 6}", "positions=learned", "head=none"),
    "features_alone": encoder("input=features", "head=none"),
    "features_as_wide": encoder(
        "input={type: features, normalize: true, dropout: 0.1}",
        "positions={type: sinusoidal, skip_padding: mask, offset: 1}",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "features_read": both("encoder.input={type: features, size: 6, bias: false}"),
    "features_causal": decoder("input={type: features, argument: vectors, size: 6}"),
    "stem_sinusoidal": both(
        "encoder.input={type: conv, channels: 3, layers: [{channels: 16, kernel: 3, stride: 2}]}",
        "encoder.positions=sinusoidal",
    ),
    "stem_learned": encoder(
        "input={type: conv, channels: 3, normalize: true, dropout: 0.1, bias: false, "
        "layers: [{channels: 8, kernel: 5}, {channels: 16, kernel: 3, stride: 2}]}",
        "positions=learned",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "contrastive": Variation(
        TWO_TOWERS,
        ("head={type: contrastive, size: 6, towers: {a: {pool: first}, b: {pool: mean}}}",),
    ),
    "contrastive_sigmoid": Variation(
        TWO_TOWERS,
        (
            "head={type: contrastive, size: 6, towers: {b: {pool: {type: token, id: 5}}, "
            "a: {pool: mean}}, loss: sigmoid, temperature: 0.1}",
        ),
    ),
    "input_tied": both("decoder.input.tied=encoder", "head={type: language_model, tied: true}"),
    "output_width": decoder("output_width=8"),
    "output_width_of_table": decoder(
        "input={width: 8, project: before_positions}",
        "output_width=8",
        "head={type: language_model, tied: true}",
        "positions=learned",
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
        "layers=4", "overrides={0: {attention: none}, -1: {feed_forward: {hidden: 8}}}"
    ),
    "no_layers": decoder("layers=0"),
    "one_layer": decoder("layers=1"),
    "special_tokens": both("tokens={pad: 1, bos: 2, eos: 3, decoder_start: 4}"),
    **{f"init {init}": decoder(f"init={init}", "residual.layer_scale=0.1") for init in INITIALS},
}


@cache
def spec_of(name: str) -> ModelSpec:
    variation = VARIATIONS[name]
    return loads(variation.text, sets=variation.sets)


@cache
def graph_of(name: str) -> ModuleGraph:
    return lower(spec_of(name))


@cache
def emitted(name: str) -> Emitted:
    return emit_file(graph_of(name))


def arguments(graph: ModuleGraph) -> list[str]:
    """The data that a model takes, by its names in `forward`."""
    return sorted(op.name for op in graph.ops("") if op.kind == "argument")


def inputs_of(graph: ModuleGraph, padding: str = "none") -> Arrays:
    """Data for every argument but positions; padding stands at the `left`, the `right` or nowhere.

    Encoders of an encoder-decoder read another number of tokens than its decoder.
    """
    names = arguments(graph)
    several = any(name.startswith("decoder_") for name in names)
    added = {
        argument: rows
        for stack in graph.spec.stacks.values()
        for source in stack.input
        for argument, rows in getattr(source, "add", {}).items()
    }
    found: Arrays = {}
    images: dict[str, tuple[int, ...]] = {}
    for stack in graph.spec.stacks.values():
        for source in stack.input:
            if isinstance(source, Patches):
                size = source.image_size
                images[source.argument] = (BATCH, source.channels, size, size)
            elif isinstance(source, ConvStem):
                images[source.argument] = (BATCH, source.channels, FRAMES)
            elif isinstance(source, Features):
                length = MEMORY if several else TOKENS
                images[source.argument] = (BATCH, length, source.size or stack.d_model)
    for name in names:
        if name in images:
            found[name] = np.random.default_rng(len(name)).standard_normal(images[name])
            continue
        length = MEMORY if several and not name.startswith("decoder_") else TOKENS
        made = _data(name, length, added.get(name, 0))
        if made is not None:
            found[name] = made
    for name in [name for name in names if name.endswith("attention_mask")]:
        if padding == "none":
            del found[name]
            continue
        ids = name.replace("attention_mask", "input_ids")
        hidden = slice(0, 3) if padding == "left" else slice(-3, None)
        found[name][-1, hidden] = 0
        for data in [found[ids]] if ids in found else []:
            data[-1, hidden] = PAD
    return found


def _data(name: str, tokens: int, entries: int) -> NDArray[np.int64] | None:
    random = np.random.default_rng(len(name))
    shape = (BATCH, tokens)
    if name.endswith("position_ids"):
        return None
    if name.endswith("attention_mask"):
        return np.ones(shape, np.int64)
    if name.endswith("document_ids"):
        return np.sort(random.integers(0, 3, shape), axis=1)
    if name.endswith("prefix_length"):
        return random.integers(1, 5, BATCH)
    if name.endswith("global_mask"):
        return (random.random(shape) < 0.3).astype(np.int64)
    if entries:
        return random.integers(0, entries, shape)
    ids = random.integers(FIRST_WORD, 29, shape)
    ids[:, 4] = MARK
    return ids
