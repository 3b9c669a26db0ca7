"""Attention without scores of pairs."""

from __future__ import annotations

from .base import Variation, both, decoder, encoder, images

LINEARS = {
    "plain": "bias: false",
    "wide": "head_dim: 6, feature_map: relu, bias: true",
    "softmax": "feature_map: softmax, output_norm: layernorm",
    "plain_sums": "feature_map: identity, normalize: false, output_gate: headwise",
    "lightning": "feature_map: silu, map_values: true, normalize: false, decay: lightning, "
    "output_norm: {type: rmsnorm, eps: 1e-6}, output_gate: elementwise, bias: false",
    "fading": "decay: lightning",
}

ROWS: dict[str, Variation] = {
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
}
