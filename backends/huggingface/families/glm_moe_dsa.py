"""GLM-5 (Z.ai, 2026): a learned index chooses the keys, as in DeepSeek-V3.2."""

from __future__ import annotations

from ._rows import causal_heads
from .deepseek_v32 import with_key_index

GLM_MOE_DSA = with_key_index(
    "glm_moe_dsa",
    "GlmMoeDsa",
    heads=causal_heads("GlmMoeDsa", tasks=()),
)

FAMILIES = (GLM_MOE_DSA,)
