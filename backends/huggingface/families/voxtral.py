"""Voxtral (Liu et al., 2025, arXiv:2507.13264), text only."""

from __future__ import annotations

from ..defaults import keys
from ._multimodal import text_of
from .llama import LLAMA

VOXTRAL = text_of(
    LLAMA,
    "voxtral",
    "Voxtral",
    reads=keys("num_key_value_heads head_dim"),
)

FAMILIES = (VOXTRAL,)
