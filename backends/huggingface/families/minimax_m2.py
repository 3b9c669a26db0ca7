"""MiniMax-M2 (2025): a sigmoid router, norms over whole queries and keys."""

from __future__ import annotations

from typing import Any

from ..rotary import Rotary
from ..values import Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import TRAINED, selection_bias
from ._rows import causal_heads
from .mixtral import MIXTRAL_MIXTURE, MIXTRAL_NAMES, MOE_PREFIX


def _partial(values: Values) -> dict[str, Any]:
    """What is rotated of a head, which the first checkpoints say as a width."""
    said = values["rotary_dim"]
    fraction = 1.0 if said is None else said / values["head_dim"]
    return Rotary(fraction=fraction, partial=True)(values)


MINIMAX_M2 = llama_like(
    "minimax_m2",
    "MiniMaxM2",
    defaults={
        "vocab_size": 200064,
        "hidden_size": 3072,
        "intermediate_size": 1536,
        "num_hidden_layers": 62,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 196608,
        "bos_token_id": 200034,
        "eos_token_id": 200020,
        "rope_theta": 5e6,
        "num_local_experts": 256,
        "num_experts_per_tok": 8,
    },
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
