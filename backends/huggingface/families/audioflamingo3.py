"""Audio Flamingo 3 (Goel et al., 2025, arXiv:2507.08128), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

AUDIO_FLAMINGO_3 = text_of(QWEN2, "audioflamingo3", "AudioFlamingo3")

FAMILIES = (AUDIO_FLAMINGO_3,)
