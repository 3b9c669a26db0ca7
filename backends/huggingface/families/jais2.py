"""Jais 2 (2025)."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._llama_like import BIASED_MLP, LAYER_NORM, llama_like
from ._rows import causal_heads

JAIS2 = llama_like(
    "jais2",
    "Jais2",
    reads=keys("layer_norm_eps attention_bias mlp_bias"),
    without=["rms_norm_eps"],
    spec={
        "norm": LAYER_NORM,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": BIASED_MLP,
    },
    heads=causal_heads("Jais2", tasks=()),
)

FAMILIES = (JAIS2,)
