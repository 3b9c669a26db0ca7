"""ERNIE 4.5 (Baidu, 2025), dense: interleaved rotary positions."""

from __future__ import annotations

from ..rotary import Rotary
from ..values import Key
from ._llama_like import llama_like
from ._rows import causal_heads

ERNIE4_5 = llama_like(
    "ernie4_5",
    "Ernie4_5",
    defaults={
        "vocab_size": 103424,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 18,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "rope_theta": 500000.0,
        "use_bias": False,
    },
    spec={"bias": Key("use_bias"), "positions": Rotary(interleaved=True)},
    heads=causal_heads("Ernie4_5", tasks=()),
)

FAMILIES = (ERNIE4_5,)
