"""Jais 2 (2025)."""

from __future__ import annotations

from ..values import Key
from ._llama_like import BIASED_MLP, LAYER_NORM, llama_like
from ._rows import causal_heads

JAIS2 = llama_like(
    "jais2",
    "Jais2",
    defaults={
        "vocab_size": 150272,
        "hidden_size": 3328,
        "intermediate_size": 26624,
        "num_attention_heads": 26,
        "hidden_act": "relu2",
        "max_position_embeddings": 8192,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 150024,
        "attention_bias": True,
        "mlp_bias": True,
    },
    without=["rms_norm_eps"],
    spec={
        "norm": LAYER_NORM,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": BIASED_MLP,
    },
    heads=causal_heads("Jais2", tasks=()),
)

FAMILIES = (JAIS2,)
