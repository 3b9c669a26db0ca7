"""GLM-ASR (Z.ai, 2025), text only."""

from __future__ import annotations

from ..defaults import keys
from ._multimodal import text_of
from .llama import LLAMA

GLM_ASR = text_of(
    LLAMA,
    "glmasr",
    "GlmAsr",
    reads=keys("num_key_value_heads"),
)

FAMILIES = (GLM_ASR,)
