"""Helium (Kyutai, 2025): interleaved rotary positions."""

from __future__ import annotations

from ..rotary import Rotary
from ..values import IfSet, Key
from ._llama_like import PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

HELIUM = llama_like(
    "helium",
    "Helium",
    defaults={
        "vocab_size": 48000,
        "hidden_size": 2560,
        "intermediate_size": 7040,
        "num_hidden_layers": 24,
        "num_attention_heads": 20,
        "head_dim": 128,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-8,
        "pad_token_id": 3,
        "rope_theta": 100000.0,
        "attention_bias": False,
        "mlp_bias": False,
    },
    spec={
        "positions": Rotary(interleaved=True),
        "attention": {"bias": IfSet("attention_bias", PROJECTED)},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads=causal_heads("Helium", tasks=TOKENS_TOO),
)

FAMILIES = (HELIUM,)
