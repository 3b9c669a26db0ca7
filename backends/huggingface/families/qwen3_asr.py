"""Qwen3-ASR (Alibaba, 2026), text only."""

from __future__ import annotations

from dataclasses import replace

from ._multimodal import BESIDE, text_of
from ._tasks import scored
from .qwen3 import QWEN3

_LANGUAGE_MODEL = text_of(
    QWEN3,
    "qwen3_asr",
    "Qwen3ASR",
    there=BESIDE,
)

QWEN3_ASR = replace(
    _LANGUAGE_MODEL,
    heads={
        **_LANGUAGE_MODEL.heads,
        "Qwen3ASRForTokenClassification": scored("score", dropout=0, bias=False, partial=True),
    },
)

FAMILIES = (QWEN3_ASR,)
