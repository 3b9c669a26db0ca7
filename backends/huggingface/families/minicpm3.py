"""MiniCPM3 (OpenBMB, 2024): latent attention, scaled residuals."""

from __future__ import annotations

import math

from ..rotary import Rotary
from ..values import Key, Values
from ._latent import DIMS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD
from ._llama_like import llama_like
from ._rows import SEQUENCE, causal_heads


def _depth(values: Values) -> float:
    said = values["scale_depth"]
    return 1.0 if said is None else float(said / math.sqrt(values["num_hidden_layers"]))


def _width(values: Values) -> float:
    return float((values["dim_model_base"] or values["hidden_size"]) / values["hidden_size"])


MINICPM3 = llama_like(
    "minicpm3",
    "MiniCPM3",
    defaults={
        **DIMS,
        "vocab_size": 73448,
        "hidden_size": 2560,
        "intermediate_size": 6400,
        "num_hidden_layers": 62,
        "num_attention_heads": 40,
        "max_position_embeddings": 32768,
        "initializer_range": 0.1,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "mlp_bias": False,
        "q_lora_rank": 768,
        "kv_lora_rank": 256,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "scale_emb": 12.0,
        "scale_depth": 1.4,
        "dim_model_base": 256,
    },
    optional={**OPTIONAL, "scale_depth": float, "dim_model_base": int},
    irrelevant=UNREAD,
    spec={
        "positions": Rotary(scores=True),
        "input": {"scale": Key("scale_emb")},
        "residual": {"scale": _depth},
        "attention": LATENT,
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    names=LATENT_NAMES,
    heads=causal_heads(
        "MiniCPM3",
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "input_scale": _width,
            }
        },
        tasks=SEQUENCE,
    ),
)

FAMILIES = (MINICPM3,)
