"""Encoders whose layers attend to a window."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, share, within
from small_models import EAGER, SIZES, small

from .rows import like_bert, masked_head

LONGFORMER = Pair(
    "longformer",
    """
name: longformer
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm_placement: post
input: {add: {token_type_ids: 1}, normalize: true}
positions: {type: learned, offset: 2, skip_padding: tokens}
mask: band(3) | global(given)
attention: {heads: 4, separate_global: true}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 1}
""",
    lambda: small(
        hf.LongformerConfig,
        hf.LongformerForMaskedLM,
        attention_window=6,
        pad_token_id=1,
        bos_token_id=0,
        type_vocab_size=1,
        max_position_embeddings=50,
        layer_norm_eps=1e-5,
        **EAGER,
    ),
    {
        **like_bert("longformer."),
        **within(
            "layers.{i}.attention",
            "longformer.encoder.layer.{i}.attention.self",
            {f"{name}_global": f"{name}_global" for name in ("query", "key", "value")},
        ),
        **masked_head("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    },
    places=False,
    caches=False,
    unmapped=r"lm_head\.decoder\..*",
)

MODERNBERT_SIZES: dict[str, Any] = {
    **SIZES,
    "num_hidden_layers": 4,
    "local_attention": 6,
    "global_attn_every_n_layers": 3,
    "cls_token_id": 1,
    "sep_token_id": 2,
}

MODERNBERT = Pair(
    "modernbert",
    """
name: modernbert
family: encoder-only
vocab_size: 64
d_model: 32
layers: 4
bias: false
norm: {type: layernorm, bias: false}
input: {normalize: true}
attention: {heads: 4}
feed_forward: {type: glu, d_ff: 48, activation: gelu}
blocks:
  global: {positions: {type: rotary, theta: 160000}}
  local: {mask: band(3), positions: {type: rotary, theta: 10000}}
pattern: [global, local * 2]
overrides:
  0: {attention: {norm_placement: none}}
head: {type: language_model, tied: true, bias: true, transform: {type: dense, bias: false}}
""",
    lambda: hf.ModernBertForMaskedLM(hf.ModernBertConfig(**MODERNBERT_SIZES)),
    {
        "token_embedding": "model.embeddings.tok_embeddings",
        "embedding_norm": "model.embeddings.norm",
        "norm": "model.final_norm",
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "attention_norm": "attn_norm",
                "attention.query": share("attn.Wqkv", 0, 3),
                "attention.key": share("attn.Wqkv", 1, 3),
                "attention.value": share("attn.Wqkv", 2, 3),
                "attention.output": "attn.Wo",
                "feed_forward_norm": "mlp_norm",
                "feed_forward.gate": share("mlp.Wi", 0, 2),
                "feed_forward.up": share("mlp.Wi", 1, 2),
                "feed_forward.down": "mlp.Wo",
            },
        ),
        **masked_head("head.dense", "head.norm", "decoder.bias"),
    },
    caches=False,
    unmapped=r"decoder\.weight",
)
