"""Solar Open (Upstage, 2026)."""

from __future__ import annotations

from ..rotary import Rotary
from ..values import IfSet
from ._llama_like import PROJECTED, llama_like
from ._moe import GROUP_ALIASES, GROUP_FIXED, GROUP_KEYS, SIGMOID_MIXTURE, SIGMOID_NAMES, TRAINED
from ._rows import causal_heads

SOLAR_OPEN = llama_like(
    "solar_open",
    "SolarOpen",
    defaults={
        **GROUP_KEYS,
        "vocab_size": 196608,
        "num_hidden_layers": 48,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_theta": 1e6,
        "attention_bias": False,
        "moe_intermediate_size": 1280,
        "n_routed_experts": 128,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
    },
    without=["intermediate_size"],
    fixed={**GROUP_FIXED, "first_k_dense_replace": 0, "use_qk_norm": False},
    aliases=GROUP_ALIASES,
    irrelevant=TRAINED | {"intermediate_size"},
    spec={
        "positions": Rotary(partial=True),
        "attention": {"bias": IfSet("attention_bias", PROJECTED)},
        "feed_forward": SIGMOID_MIXTURE,
    },
    names=SIGMOID_NAMES,
    heads=causal_heads("SolarOpen", tasks=()),
)

FAMILIES = (SOLAR_OPEN,)
