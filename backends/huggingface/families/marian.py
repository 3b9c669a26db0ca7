"""Marian translation models (Junczys-Dowmunt et al., 2018, arXiv:1804.00344)."""

from __future__ import annotations

from .bart import NO_EMBEDDING_NORM, bart_like

MARIAN = bart_like(
    "marian",
    "Marian",
    own_defaults={"classifier_dropout": 0.0},
    model="MarianMTModel",
    fixed={"share_encoder_decoder_embeddings": True},
    irrelevant=frozenset(["decoder_vocab_size", "_num_labels"]),
    spec={**NO_EMBEDDING_NORM, "positions": {"type": "sinusoidal"}},
    unused=(r"(encoder|decoder)\.embed_positions\.weight",),
)

FAMILIES = (MARIAN,)
