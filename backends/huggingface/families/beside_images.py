"""Models of texts that stand beside encoders of images or sounds: the text alone is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..family import Family, Head
from .granite import GRANITE
from .llama import LLAMA, QWEN2, QWEN3
from .rows import LANGUAGE_MODEL

_INSIDE = ("language_model.model.", "language_model.lm_head")
_BESIDE = ("model.language_model.", "lm_head")


def text_of(
    family: Family,
    model_type: str,
    name: str,
    defaults: Mapping[str, Any] = {},
    *,
    there: tuple[str, str] = _INSIDE,
    others: str = "audio_tower|multi_modal_projector",
    read: str = "sounds",
) -> Family:
    """The text of a model whose config has it under `text_config`.

    defaults: those of the library that differ from the family's own
    there: the prefix of its names, and the table of the words
    others: the parts that are not read
    read: by the whole model, besides texts
    """
    prefix, output = there
    root = prefix.partition("language_model.")[0].replace(".", r"\.")
    head = Head(
        spec=LANGUAGE_MODEL,
        names={"head": output},
        untied={f"{output}.weight": "embed_tokens.weight"},
        partial=True,
    )
    assert isinstance(family.unused, tuple)
    return replace(
        family,
        model_type=model_type,
        defaults={**family.defaults, **defaults},
        fixed={**family.fixed, "model_type": family.model_type},
        inside="text_config",
        prefix=prefix,
        unused=(*family.unused, rf"{root}({others})\..*"),
        heads={f"{name}ForConditionalGeneration": head},
        note=f"The text alone: {read} are not read here",
    )


GOT_OCR2 = text_of(
    QWEN2,
    "got_ocr2",
    "GotOcr2",
    {
        "vocab_size": 151860,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "max_window_layers": 21,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    },
    others="vision_tower|multi_modal_projector",
    read="images",
)
QWEN2_AUDIO = text_of(QWEN2, "qwen2_audio", "Qwen2Audio")
AUDIO_FLAMINGO_3 = text_of(QWEN2, "audioflamingo3", "AudioFlamingo3")
MUSIC_FLAMINGO = text_of(QWEN2, "musicflamingo", "MusicFlamingo")
VIBE_VOICE_ASR = text_of(
    QWEN2,
    "vibevoice_asr",
    "VibeVoiceAsr",
    others="(acoustic|semantic)_tokenizer_encoder|multi_modal_projector",
)
VOXTRAL = text_of(
    LLAMA,
    "voxtral",
    "Voxtral",
    {
        "vocab_size": 131072,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 30,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100_000_000.0,
    },
)
GLM_ASR = text_of(
    LLAMA,
    "glmasr",
    "GlmAsr",
    {
        "vocab_size": 59264,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "eos_token_id": [59246, 59253, 59255],
        "tie_word_embeddings": True,
    },
)
GRANITE_SPEECH = text_of(
    GRANITE,
    "granite_speech",
    "GraniteSpeech",
    {"tie_word_embeddings": True},
    others="encoder|projector",
)
GRANITE_SPEECH_PLUS = text_of(
    GRANITE,
    "granite_speech_plus",
    "GraniteSpeechPlus",
    {"tie_word_embeddings": True},
    others="encoder|projector",
)
_QWEN3_SMALL: Mapping[str, Any] = {
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "tie_word_embeddings": True,
}
QWEN3_ASR = text_of(
    QWEN3,
    "qwen3_asr",
    "Qwen3ASR",
    {
        **_QWEN3_SMALL,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "max_position_embeddings": 65536,
    },
    there=_BESIDE,
)
MOSS_TRANSCRIBE_DIARIZE = text_of(
    QWEN3,
    "moss_transcribe_diarize",
    "MossTranscribeDiarize",
    {
        **_QWEN3_SMALL,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "max_position_embeddings": 131072,
        "rope_theta": 1_000_000.0,
    },
    there=_BESIDE,
)

FAMILIES = (
    GOT_OCR2,
    QWEN2_AUDIO,
    AUDIO_FLAMINGO_3,
    MUSIC_FLAMINGO,
    VIBE_VOICE_ASR,
    VOXTRAL,
    GLM_ASR,
    GRANITE_SPEECH,
    GRANITE_SPEECH_PLUS,
    QWEN3_ASR,
    MOSS_TRANSCRIBE_DIARIZE,
)
