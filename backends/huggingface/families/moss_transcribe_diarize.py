"""MOSS-Transcribe-Diarize (2026), text only."""

from __future__ import annotations

from ._multimodal import BESIDE, text_of
from .qwen3 import QWEN3
from .qwen3_asr import QWEN3_SMALL

MOSS_TRANSCRIBE_DIARIZE = text_of(
    QWEN3,
    "moss_transcribe_diarize",
    "MossTranscribeDiarize",
    {
        **QWEN3_SMALL,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "max_position_embeddings": 131072,
        "rope_theta": 1_000_000.0,
    },
    there=BESIDE,
)

FAMILIES = (MOSS_TRANSCRIBE_DIARIZE,)
