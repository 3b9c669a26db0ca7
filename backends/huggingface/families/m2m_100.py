"""M2M-100 (Fan et al., 2020, arXiv:2010.11125) and NLLB-200: sinusoids that skip padding."""

from __future__ import annotations

from ._rows import after_padding
from .bart import NO_EMBEDDING_NORM, PRE_NORM, bart_like

M2M_100 = bart_like(
    "m2m_100",
    "M2M100",
    own_defaults={"classifier_dropout": 0.0},
    spec={
        **PRE_NORM,
        **NO_EMBEDDING_NORM,
        "positions": {
            "type": "sinusoidal",
            "denominator": "half_minus_one",
            "offset": after_padding,
            "skip_padding": "tokens",
        },
        "decoder": {"positions": {"skip_padding": "mask"}},
    },
    unused=(r"(encoder|decoder)\.embed_positions\.weights",),
    bias=False,
    alone=False,
)

FAMILIES = (M2M_100,)
