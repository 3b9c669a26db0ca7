"""Nemotron-4 and Minitron (Parmar et al., 2024, arXiv:2402.16819)."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key
from ._llama_like import BIASED_MLP, llama_like
from ._rows import ALL_TASKS, causal_heads

NEMOTRON = llama_like(
    "nemotron",
    "Nemotron",
    reads=keys("head_dim norm_eps attention_bias mlp_bias"),
    without=["rms_norm_eps"],
    fixed={"rope_percent": 0.5},
    irrelevant=frozenset(["hidden_dropout"]),
    spec={
        "norm": {"type": "layernorm", "eps": Key("norm_eps"), "weight_offset": 1},
        "positions": Rotary(fraction=0.5),
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": BIASED_MLP,
    },
    heads=causal_heads("Nemotron", tasks=ALL_TASKS),
)

FAMILIES = (NEMOTRON,)
