"""Helium (Kyutai, 2025): interleaved rotary positions."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import IfSet, Key
from ._llama_like import PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

HELIUM = llama_like(
    "helium",
    "Helium",
    reads=keys("head_dim pad_token_id attention_bias mlp_bias"),
    spec={
        "positions": Rotary(interleaved=True),
        "attention": {"bias": IfSet("attention_bias", PROJECTED)},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads=causal_heads("Helium", tasks=TOKENS_TOO),
)

FAMILIES = (HELIUM,)
