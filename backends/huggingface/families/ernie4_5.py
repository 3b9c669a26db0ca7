"""ERNIE 4.5 (Baidu, 2025), dense: interleaved rotary positions."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key
from ._llama_like import llama_like
from ._rows import causal_heads

ERNIE4_5 = llama_like(
    "ernie4_5",
    "Ernie4_5",
    reads=keys("num_key_value_heads head_dim pad_token_id use_bias"),
    own_defaults={"attention_dropout": 0.0},
    spec={"bias": Key("use_bias"), "positions": Rotary(interleaved=True)},
    heads=causal_heads("Ernie4_5", tasks=()),
)

FAMILIES = (ERNIE4_5,)
