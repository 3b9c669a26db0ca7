"""EuroBERT (Boizard et al., 2025, arXiv:2503.05500): a bidirectional Llama."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Head
from ..values import Key
from ._llama_like import llama_like
from ._rows import QKV
from ._tasks import scored

EUROBERT = llama_like(
    "eurobert",
    "EuroBert",
    reads=keys("pad_token_id attention_bias mlp_bias"),
    irrelevant=frozenset(["classifier_pooling", "mask_token", "mask_token_id", "pretraining_tp"]),
    spec={
        "family": "encoder-only",
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads={
        "EuroBertForMaskedLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": Key("mlp_bias"),
                }
            },
            names={"head": "lm_head"},
            untied={"lm_head.weight": "embed_tokens.weight"},
        ),
        "EuroBertModel": Head(),
        "EuroBertForTokenClassification": scored(dropout=0),
    },
)


def rotary_names(attention: str) -> dict[Any, Any]:
    """Tensor names of encoders with fused projections; `attention` is the module's name."""
    separate = ("query", "key", "value")
    return {
        "position_embedding": None,
        "embedding_norm": "emb_ln",
        **{f"layers.{{}}.attention.{part}": None for part in separate},
        QKV: f"encoder.layers.{{}}.{attention}.Wqkv",
        "layers.{}.attention.output": f"encoder.layers.{{}}.{attention}.out_proj",
        "layers.{}.attention_norm": "encoder.layers.{}.norm1",
        "layers.{}.feed_forward_norm": "encoder.layers.{}.norm2",
        "layers.{}.feed_forward.down": "encoder.layers.{}.mlp.fc2",
    }


FAMILIES = (EUROBERT,)
