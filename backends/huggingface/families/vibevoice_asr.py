"""VibeVoice-ASR (Microsoft, 2026), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

VIBE_VOICE_ASR = text_of(
    QWEN2,
    "vibevoice_asr",
    "VibeVoiceAsr",
    others="(acoustic|semantic)_tokenizer_encoder|multi_modal_projector",
)

FAMILIES = (VIBE_VOICE_ASR,)
