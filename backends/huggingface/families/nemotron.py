"""Nemotron-4 and Minitron (Parmar et al., 2024, arXiv:2402.16819)."""

from __future__ import annotations

from ..rotary import Rotary
from ..values import Key
from ._llama_like import BIASED_MLP, llama_like
from ._rows import ALL_TASKS, causal_heads

NEMOTRON = llama_like(
    "nemotron",
    "Nemotron",
    defaults={
        "vocab_size": 256000,
        "hidden_size": 6144,
        "intermediate_size": 24576,
        "num_attention_heads": 48,
        "head_dim": 128,
        "hidden_act": "relu2",
        "max_position_embeddings": 4096,
        "initializer_range": 0.0134,
        "norm_eps": 1e-5,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "attention_bias": False,
        "mlp_bias": False,
    },
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
