"""Solar Open (Upstage, 2026)."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import IfSet
from ._llama_like import PROJECTED, llama_like
from ._moe import GROUP_ALIASES, GROUP_FIXED, GROUP_KEYS, SIGMOID_MIXTURE, SIGMOID_NAMES, TRAINED
from ._rows import causal_heads

SOLAR_OPEN = llama_like(
    "solar_open",
    "SolarOpen",
    reads=keys(
        GROUP_KEYS,
        "num_key_value_heads head_dim attention_bias moe_intermediate_size n_routed_experts",
        "n_shared_experts num_experts_per_tok",
    ),
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
