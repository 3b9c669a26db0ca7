"""Qwen2-Audio (Chu et al., 2024, arXiv:2407.10759), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

QWEN2_AUDIO = text_of(QWEN2, "qwen2_audio", "Qwen2Audio")

FAMILIES = (QWEN2_AUDIO,)
