"""Granite Speech (IBM, 2025, arXiv:2505.08699), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .granite import GRANITE

GRANITE_SPEECH = text_of(
    GRANITE,
    "granite_speech",
    "GraniteSpeech",
    others="encoder|projector",
)

GRANITE_SPEECH_PLUS = text_of(
    GRANITE,
    "granite_speech_plus",
    "GraniteSpeechPlus",
    others="encoder|projector",
)

FAMILIES = (GRANITE_SPEECH, GRANITE_SPEECH_PLUS)
