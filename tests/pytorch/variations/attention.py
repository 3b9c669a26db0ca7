"""Attention with scores of pairs."""

from __future__ import annotations

from .base import BOTH, DECODER, ENCODER, Variation, both, decoder, encoder
from .positions import POSITIONS

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
    "softmax1": "{heads: 4, sinks: zero}",
    "softmax1_softcap_grouped": "{heads: 4, kv_heads: 2, sinks: zero, softcap: 5, dropout: 0.2}",
    "sinks_softcap": "{heads: 4, kv_heads: 2, sinks: true, softcap: 5}",
    "talking_heads": "{heads: 4, talking_heads: both}",
    "talking_heads_grouped": "{heads: 4, kv_heads: 2, talking_heads: scores, dropout: 0.2}",
    "talking_heads_weights": "{heads: 4, talking_heads: weights, dropout: 0.2, value_dim: 6}",
    "output_norm": "{heads: 4, output_norm: true}",
    "gate": "{heads: 4, output_gate: elementwise, value_dim: 6}",
    "gate_of_heads": "{heads: 4, output_gate: headwise, kv_heads: 2, bias: [query, output]}",
    "gate_softplus": "{heads: 4, output_gate: headwise, gate: softplus}",
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

DIFFERENTIAL = "type: differential, heads: 2"

DIFFERENTIALS = {
    "": "",
    "grouped": ", kv_heads: 1, head_dim: 6, dropout: 0.2",
    "unnormed": ", head_norm: none, scale: 0.4, bias: false",
    "norm": ", head_norm: {affine: false, eps: 1e-4}",
    "unscaled": ", scale: none, kernel: dense",
}

COLLABORATIVE = "type: collaborative, heads: 2"

COLLABORATIVES = {
    "": "",
    "wide": ", key_dim: 12, value_dim: 6, dropout: 0.2",
    "unbiased": ", key_dim: 6, scale: 0.4, bias: false",
    "unscaled": ", scale: none, kernel: dense",
}

SCORES = {
    "cosine": "score: cosine, scale: 7",
    "distance": "score: distance",
    "distance_scaled": "score: distance, scale: 0.3",
    "additive": "score: additive",
    "additive_scaled": "score: additive, scale: 0.3",
}

ROWS: dict[str, Variation] = {
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
        f"attention_differential_{k}": decoder(
            f"attention={{{DIFFERENTIAL}{v}}}", "positions=rotary"
        )
        for k, v in DIFFERENTIALS.items()
    },
    **{
        f"attention_differential_{k}": Variation(
            text.replace("{heads: 4}", f"{{{DIFFERENTIAL}}}"), sets
        )
        for k, text, sets in (
            ("both", BOTH, ("positions=relative_bias",)),
            ("encoder", ENCODER, ("positions=[alibi, learned]", "mask=band(2)")),
            ("tiles", DECODER, ("attention.kernel=tiles", "mask=causal & window(3)")),
            ("shared_layers", DECODER, ("share=true", "layers=3")),
        )
    },
    **{
        f"attention_collaborative_{k}": decoder(
            f"attention={{{COLLABORATIVE}{v}}}", "positions=learned"
        )
        for k, v in COLLABORATIVES.items()
    },
    **{
        f"attention_collaborative_{k}": Variation(
            text.replace("{heads: 4}", f"{{{COLLABORATIVE}}}"), sets
        )
        for k, text, sets in (
            ("both", BOTH, ("positions=relative_bias",)),
            (
                "encoder",
                ENCODER,
                ("positions=[{type: alibi, before_scale: true}, learned]", "mask=band(2)"),
            ),
            ("tiles", DECODER, ("attention.kernel=tiles", "mask=causal & window(3)")),
            ("shared_layers", DECODER, ("share=true", "layers=3")),
            ("temperature", DECODER, ("positions={type: temperature, length: 4}",)),
        )
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
}
