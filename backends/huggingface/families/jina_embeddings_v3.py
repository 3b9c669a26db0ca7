"""Jina Embeddings v3 (Sturua et al., 2024, arXiv:2409.10173)."""

from __future__ import annotations

from ..defaults import keys
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
    reads=keys("rope_theta"),
    spec={"positions": Rotary()},
    names={
        **rotary_names("mixer"),
        "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc1",
    },
)

FAMILIES = (JINA_EMBEDDINGS_V3,)
