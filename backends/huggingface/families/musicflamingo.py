"""Music Flamingo (NVIDIA, 2025), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

MUSIC_FLAMINGO = text_of(QWEN2, "musicflamingo", "MusicFlamingo")

FAMILIES = (MUSIC_FLAMINGO,)
