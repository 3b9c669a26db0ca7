"""MiniMax-M2 (2025): a sigmoid router, norms over whole queries and keys."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..rotary import Rotary
from ..values import Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import TRAINED, selection_bias
from ._rows import causal_heads
from .mixtral import MIXTRAL_MIXTURE, MIXTRAL_NAMES, MOE_PREFIX


def _partial(values: Values) -> dict[str, Any]:
    """Rotary positions; older configs give the rotated width as `rotary_dim`."""
    width = values["rotary_dim"]
    fraction = 1.0 if width is None else width / values["head_dim"]
    return Rotary(fraction=fraction, partial=True)(values)


MINIMAX_M2 = llama_like(
    "minimax_m2",
    "MiniMaxM2",
    reads=keys("num_key_value_heads head_dim num_local_experts num_experts_per_tok"),
    optional={"rotary_dim": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED,
    spec={
        "positions": _partial,
        "attention": {"qk_norm": "projection"},
        "feed_forward": {**MIXTRAL_MIXTURE, "router": {"score": "sigmoid", "selection_bias": True}},
    },
    names={**MIXTRAL_NAMES, **QK_NORMS, **selection_bias(f"{MOE_PREFIX}.e_score_correction_bias")},
    heads=causal_heads("MiniMaxM2", tasks=()),
)

FAMILIES = (MINIMAX_M2,)
