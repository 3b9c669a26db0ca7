"""Jina Embeddings v3 (Sturua et al., 2024, arXiv:2409.10173)."""

from __future__ import annotations

from ..rotary import Rotary
from ._bert_like import bert_like, masked_head, pooled_model, token_heads, two_layers
from .eurobert import rotary_names

JINA_EMBEDDINGS_V3 = bert_like(
    "jina_embeddings_v3",
    prefix="roberta.",
    heads={
        "JinaEmbeddingsV3ForMaskedLM": masked_head("lm_head", act="gelu"),
        "JinaEmbeddingsV3Model": pooled_model(),
        **two_layers("JinaEmbeddingsV3"),
        **token_heads("JinaEmbeddingsV3"),
    },
    defaults={
        "vocab_size": 250002,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "max_position_embeddings": 8194,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "rope_theta": 20000.0,
    },
    spec={"positions": Rotary()},
    names={
        **rotary_names("mixer"),
        "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc1",
    },
)

FAMILIES = (JINA_EMBEDDINGS_V3,)
