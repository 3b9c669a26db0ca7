"""GLM-4.7-Flash (Z.ai, 2026): DeepSeek-V3 with named layer types."""

from __future__ import annotations

from ._latent import UNREAD
from ._llama_like import llama_like
from ._moe import dense_and_sparse, skipped_tensors
from ._rows import causal_heads
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

GLM4_MOE_LITE = llama_like(
    "glm4_moe_lite",
    "Glm4MoeLite",
    reads=V3_KEYS,
    own_defaults={"num_nextn_predict_layers": 1},
    optional={**NAMED_OPTIONAL, "num_nextn_predict_layers": int},
    fixed=V3_FIXED,
    aliases=V3_ALIASES,
    irrelevant=UNREAD,
    spec=V3_SPEC,
    layers=lambda values: dense_and_sparse(values, named_layers(values), V3_MIXTURE),
    names=V3_NAMES,
    unused=skipped_tensors,
    heads=causal_heads("Glm4MoeLite", tasks=()),
)

FAMILIES = (GLM4_MOE_LITE,)
