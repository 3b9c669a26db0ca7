"""PLBART (Ahmad et al., 2021, arXiv:2103.06333): BART for programming languages."""

from __future__ import annotations

from .bart import bart_like

PLBART = bart_like(
    "plbart",
    "PLBart",
    tasks=("SequenceClassification",),
    own_defaults={"decoder_start_token_id": None},
)

FAMILIES = (PLBART,)
