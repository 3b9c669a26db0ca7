"""PLBART (Ahmad et al., 2021, arXiv:2103.06333): BART for programming languages."""

from __future__ import annotations

from .bart import bart_like

PLBART = bart_like(
    "plbart",
    "PLBart",
    tasks=("SequenceClassification",),
    defaults={
        "vocab_size": 50005,
        "encoder_layers": 6,
        "encoder_ffn_dim": 3072,
        "encoder_attention_heads": 12,
        "decoder_layers": 6,
        "decoder_ffn_dim": 3072,
        "decoder_attention_heads": 12,
        "d_model": 768,
        "attention_dropout": 0.1,
        "scale_embedding": True,
        "decoder_start_token_id": None,
    },
)

FAMILIES = (PLBART,)
