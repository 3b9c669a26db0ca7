"""Blenderbot and its small version (Roller et al., 2020, arXiv:2004.13637)."""

from __future__ import annotations

from ..values import IfSet
from .bart import NO_EMBEDDING_NORM, POSITIONS_FROM_ZERO, PRE_NORM, bart_like

BLENDERBOT = bart_like(
    "blenderbot",
    "Blenderbot",
    own_defaults={"classifier_dropout": 0.0},
    fixed={
        "do_blenderbot_90_layernorm": False,
        "layernorm_variant": "prelayernorm",
        "variant": "prelayernorm",
    },
    spec={**PRE_NORM, **NO_EMBEDDING_NORM, **POSITIONS_FROM_ZERO},
)

BLENDERBOT_SMALL = bart_like(
    "blenderbot-small",
    "BlenderbotSmall",
    own_defaults={"classifier_dropout": 0.0},
    fixed={"do_blenderbot_90_layernorm": True, "layernorm_variant": "xlm", "variant": "xlm"},
    spec={
        **POSITIONS_FROM_ZERO,
        "input": {"scale": None},
        "encoder": {"input": {"scale": IfSet("scale_embedding", "sqrt_d_model")}},
        "decoder": {"input": {"normalize": "before_positions"}},
    },
)

FAMILIES = (BLENDERBOT, BLENDERBOT_SMALL)
