"""Pegasus (Zhang et al., 2019, arXiv:1912.08777). Its sinusoids are read as a learned table."""

from __future__ import annotations

from .bart import NO_EMBEDDING_NORM, POSITIONS_FROM_ZERO, PRE_NORM, bart_like

PEGASUS = bart_like(
    "pegasus",
    "Pegasus",
    own_defaults={"classifier_dropout": 0.0, "bos_token_id": None},
    spec={**PRE_NORM, **NO_EMBEDDING_NORM, **POSITIONS_FROM_ZERO},
)

FAMILIES = (PEGASUS,)
