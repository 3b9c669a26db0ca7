"""A.X K1 (SK Telecom, 2026): DeepSeek-V3 with a norm after the experts."""

from __future__ import annotations

from ..layers import Layer
from ..values import Values
from ._latent import UNREAD
from ._llama_like import llama_like
from ._moe import dense_and_sparse
from ._rows import TOKENS_TOO, causal_heads
from .deepseek_v3 import (
    NAMED_OPTIONAL,
    V3_ALIASES,
    V3_FIXED,
    V3_KEYS,
    V3_MIXTURE,
    V3_NAMES,
    V3_SPEC,
    named_layers,
)


def _axk1_layers(values: Values) -> list[Layer]:
    """DeepSeek-V3's layers, with a second norm after the experts."""
    sparse_block = {**V3_MIXTURE, "norm_placement": "sandwich"}
    return dense_and_sparse(values, named_layers(values), sparse_block)


AXK1 = llama_like(
    "axk1",
    "AXK1",
    reads=V3_KEYS,
    optional=NAMED_OPTIONAL,
    fixed=V3_FIXED,
    aliases=V3_ALIASES,
    irrelevant=UNREAD,
    spec=V3_SPEC,
    layers=_axk1_layers,
    names={
        **V3_NAMES,
        "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
    },
    heads=causal_heads("AXK1", tasks=TOKENS_TOO),
)

FAMILIES = (AXK1,)
