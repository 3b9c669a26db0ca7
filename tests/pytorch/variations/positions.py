"""Positions, and scores that depend on them."""

from __future__ import annotations

from .base import PAD, Variation, both, decoder, encoder

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
    "temperature": "{type: temperature, length: 3, slope: 0.4, offset: 1}",
    "temperature_rotary": "[rotary, {type: temperature, length: 2}]",
    "alibi": "alibi",
    "alibi_before_scale": "{type: alibi, before_scale: true}",
    "relative": "{type: relative_bias, buckets: 8, max_distance: 16}",
    "relative_one_sided": "{type: relative_bias, bidirectional: false, buckets: 8}",
    "relative_by_layer": "{type: relative_bias, share: layer, buckets: 8, max_distance: 16}",
    "distances": "{type: relative_table, axes: 1}",
    "distances_of_the_stack": "[{type: relative_table, axes: 1, share: stack}, rotary]",
    "disentangled": "{type: disentangled, buckets: 4, max_distance: 9, normalize: true}",
    "disentangled_shared": "{type: disentangled, buckets: 4, max_distance: 8, "
    "share_projections: true}",
    "disentangled_every_distance": "{type: disentangled, buckets: none, max_distance: 5}",
    "disentangled_one_term": "[{type: disentangled, terms: [position_to_content], buckets: 6, "
    "max_distance: 20, share_projections: true, normalize: true}, alibi]",
    "transformer_xl": "transformer_xl",
    "transformer_xl_and_distances": "[transformer_xl, {type: relative_bias}]",
    "shaw": "{type: shaw, max_distance: 3}",
    "shaw_keys": "{type: shaw, max_distance: 20, values: false}",
    "coordinate": "coordinate",
    "coordinate_interleaved": "{type: coordinate, layout: interleaved, "
    "denominator: half_minus_one}",
    "learned_rotary_alibi": "[learned, rotary, alibi]",
    "learned_relative_alibi": "[learned, {type: relative_bias}, alibi]",
}

ROWS: dict[str, Variation] = {
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
    "disentangled_by_turns": encoder(
        "layers=4",
        "blocks={a: {positions: {type: disentangled, buckets: 4, max_distance: 9}}, "
        "b: {positions: {type: disentangled, buckets: none, max_distance: 4}, share: true}}",
        "pattern=[a, b]",
    ),
}
