"""MiniCPM3 (OpenBMB, 2024): latent attention, scaled residuals."""

from __future__ import annotations

import math

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key, Values
from ._latent import DIM_KEYS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD
from ._llama_like import llama_like
from ._rows import SEQUENCE, causal_heads


def _depth(values: Values) -> float:
    value = values["scale_depth"]
    return 1.0 if value is None else float(value / math.sqrt(values["num_hidden_layers"]))


def _width(values: Values) -> float:
    return float((values["dim_model_base"] or values["hidden_size"]) / values["hidden_size"])


MINICPM3 = llama_like(
    "minicpm3",
    "MiniCPM3",
    reads=keys(DIM_KEYS, "mlp_bias scale_emb scale_depth dim_model_base"),
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
