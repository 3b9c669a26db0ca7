"""Qwen3-ASR (Alibaba, 2026), text only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ._multimodal import BESIDE, text_of
from ._tasks import scored
from .qwen3 import QWEN3

QWEN3_SMALL: Mapping[str, Any] = {
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "tie_word_embeddings": True,
}

_LANGUAGE_MODEL = text_of(
    QWEN3,
    "qwen3_asr",
    "Qwen3ASR",
    {
        **QWEN3_SMALL,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "max_position_embeddings": 65536,
    },
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
