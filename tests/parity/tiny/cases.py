"""The models of the library: every type with every head, and image and audio encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import transformers.models.auto.modeling_auto as auto

TEXT_HEADS: Mapping[str, str] = {
    "causal_lm": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "masked_lm": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "seq2seq_lm": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
}
HEADS: Mapping[str, str] = {
    **TEXT_HEADS,
    "base": "MODEL_MAPPING_NAMES",
    "image_classification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "audio_classification": "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",
    "ctc": "MODEL_FOR_CTC_MAPPING_NAMES",
    "speech_seq2seq": "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
}
"""What stands on the hidden states, and the library's table of the classes that have it."""

TOWERS = (
    *("audio-spectrogram-transformer", "beit", "clip", "clip_text_model", "clip_vision_model"),
    *("data2vec-vision", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "hubert"),
    *("ijepa", "siglip", "siglip_text_model", "siglip_vision_model", "swin", "unispeech"),
    *("unispeech-sat", "vit", "vit_msn", "wav2vec2"),
)
"""Types of which the hidden states themselves are compared."""

SOUNDS = (
    *((kind, "audio_classification") for kind in ("audio-spectrogram-transformer", "wav2vec2")),
    *((kind, "ctc") for kind in ("hubert", "wav2vec2")),
    *((kind, "speech_seq2seq") for kind in ("speech_to_text", "whisper")),
)

_NOT_IN_THE_TABLE = {
    "clip_text_model": "CLIPTextModel",
    "siglip_text_model": "SiglipTextModel",
    "siglip_vision_model": "SiglipVisionModel",
}


@dataclass(frozen=True)
class Case:
    """One tiny model: a type, its head, and the fields that its config sets unlike the type."""

    model_type: str
    head: str
    variant: str = ""
    over: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return "/".join(part for part in (self.model_type, self.head, self.variant) if part)


def class_name(case: Case) -> str:
    """The class of the library that has this head."""
    name = getattr(auto, HEADS[case.head]).get(case.model_type)
    if name is None:
        return _NOT_IN_THE_TABLE[case.model_type]
    return str(name if isinstance(name, str) else name[0])


def text_cases() -> list[Case]:
    """Every type and head of the three tables of language models."""
    return [Case(kind, head) for head, table in TEXT_HEADS.items() for kind in getattr(auto, table)]


def tower_cases() -> list[Case]:
    """Encoders of images and sounds: their hidden states, and every classifier of images."""
    images = auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    return [
        *(Case(kind, "base") for kind in TOWERS),
        *(Case(kind, "image_classification") for kind in images),
        *(Case(kind, head) for kind, head in SOUNDS),
    ]
