"""Blenderbot and its small version (Roller et al., 2020, arXiv:2004.13637)."""

from __future__ import annotations

from ..values import IfSet
from .bart import NO_EMBEDDING_NORM, POSITIONS_FROM_ZERO, PRE_NORM, bart_like

BLENDERBOT = bart_like(
    "blenderbot",
    "Blenderbot",
    defaults={
        "vocab_size": 8008,
        "max_position_embeddings": 128,
        "encoder_layers": 2,
        "encoder_ffn_dim": 10240,
        "encoder_attention_heads": 32,
        "decoder_layers": 24,
        "decoder_ffn_dim": 10240,
        "decoder_attention_heads": 32,
        "d_model": 2560,
        "decoder_start_token_id": 1,
        "pad_token_id": 0,
        "bos_token_id": 1,
    },
    spec={**PRE_NORM, **NO_EMBEDDING_NORM, **POSITIONS_FROM_ZERO},
)

BLENDERBOT_SMALL = bart_like(
    "blenderbot-small",
    "BlenderbotSmall",
    defaults={
        "max_position_embeddings": 512,
        "encoder_layers": 8,
        "encoder_ffn_dim": 2048,
        "decoder_layers": 8,
        "decoder_ffn_dim": 2048,
        "d_model": 512,
        "decoder_start_token_id": 1,
        "pad_token_id": 0,
        "bos_token_id": 1,
    },
    spec={
        **POSITIONS_FROM_ZERO,
        "input": {"scale": None},
        "encoder": {"input": {"scale": IfSet("scale_embedding", "sqrt_d_model")}},
        "decoder": {"input": {"normalize": "before_positions"}},
    },
)

FAMILIES = (BLENDERBOT, BLENDERBOT_SMALL)
