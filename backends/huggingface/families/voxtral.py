"""Voxtral (Liu et al., 2025, arXiv:2507.13264), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .llama import LLAMA

VOXTRAL = text_of(
    LLAMA,
    "voxtral",
    "Voxtral",
    {
        "vocab_size": 131072,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 30,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100_000_000.0,
    },
)

FAMILIES = (VOXTRAL,)
