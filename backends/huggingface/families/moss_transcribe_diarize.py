"""MOSS-Transcribe-Diarize (2026), text only."""

from __future__ import annotations

from ._multimodal import BESIDE, text_of
from .qwen3 import QWEN3

MOSS_TRANSCRIBE_DIARIZE = text_of(
    QWEN3,
    "moss_transcribe_diarize",
    "MossTranscribeDiarize",
    there=BESIDE,
)

FAMILIES = (MOSS_TRANSCRIBE_DIARIZE,)
