"""Models of texts that stand beside encoders of images or sounds: the text alone is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..family import Family, Head, Names
from ..values import Key, Row, Values
from .granite import GRANITE
from .like_bert import bert_like
from .llama import ATTENTION, LLAMA, QWEN2, QWEN3, UNUSED, llama_like
from .llama import NAMES as LLAMA_NAMES
from .rows import LANGUAGE_MODEL, LAST, TOKEN_KEYS, causal_heads, changed

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

# -- Llama 3.2 Vision (Meta, 2024): some layers read an image, and nothing where there is none

_FEWER_WORDS = changed(LANGUAGE_MODEL, {"head": {"vocab_size": Key("vocab_size")}})
"""A head whose table has fewer entries than that of the tokens."""


def _reads_text(values: Values) -> list[int]:
    """The layers that do not read an image, by their numbers in the whole model."""
    images = values["cross_attention_layers"]
    return [layer for layer in range(values["num_hidden_layers"]) if layer not in images]


def _mllama_names(values: Values) -> Names:
    layers = {ours: theirs for ours, theirs in LLAMA_NAMES.items() if "{}" in str(ours)}
    rows: dict[Any, Any] = {"token_embedding": "embed_tokens", "norm": "norm"}
    for number, layer in enumerate(_reads_text(values)):
        for ours, theirs in layers.items():
            rows[ours.format(number)] = str(theirs).format(layer)
    return rows


def _images(values: Values) -> tuple[str, ...]:
    layers = "|".join(map(str, values["cross_attention_layers"]))
    return (
        *UNUSED,
        r"(model\.)?(vision_model|multi_modal_projector)\..*",
        rf"layers\.({layers})\..*",
    )


def _mllama(model_type: str, name: str, **more: Any) -> Family:
    output = more.pop("output", "lm_head")
    family = llama_like(
        model_type,
        "Mllama",
        defaults={
            "vocab_size": 128256,
            "intermediate_size": 14336,
            "num_hidden_layers": 40,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "bos_token_id": 128000,
            "eos_token_id": 128001,
            "pad_token_id": 128004,
            "dropout": 0.0,
            "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38],
        },
        without=["attention_dropout"],
        spec={
            "layers": lambda values: len(_reads_text(values)),
            "input": {"vocab_size": lambda values: values["vocab_size"] + 8},  # for the images
            "attention": {"dropout": Key("dropout")},
        },
        unused=_images,
        heads={
            name: Head(
                spec=_FEWER_WORDS,
                names={"head": output},
                untied={f"{output}.weight": "embed_tokens.weight"},
                partial=True,
            )
        },
        note="The text alone: images are not read here, nor are the layers that look at them",
        **more,
    )
    return replace(family, names=_mllama_names)


MLLAMA_TEXT = _mllama("mllama_text_model", "MllamaForCausalLM")
MLLAMA = _mllama(
    "mllama",
    "MllamaForConditionalGeneration",
    fixed={"model_type": "mllama_text_model"},
    inside="text_config",
    prefix="language_model.model.",
    output="language_model.lm_head",
)

# GIT (Wang et al., 2022, arXiv:2205.14100): BERT's layers, which write of images

GIT = bert_like(
    "git",
    prefix="git.",
    defaults={
        "num_hidden_layers": 6,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
        "bos_token_id": 101,
        "eos_token_id": 102,
    },
    without=["type_vocab_size", "id2label"],
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["vision_config", "num_image_with_embedding"]),
    spec={"family": "decoder-only", "input": {"add": None}},
    names={"token_type_embedding": None},
    last=LAST,
    unused=[r"(image_encoder|visual_projection|img_temporal_embedding)\..*"],
    heads={
        "GitForCausalLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": True,
                }
            },
            names={"head": "output"},
            untied={"output.weight": "embeddings.word_embeddings.weight"},
            partial=True,
        )
    },
    note="The text alone: images are not read here",
)

# Moshi (Défossez et al., 2024, arXiv:2410.00037): the decoder that writes its text


MOSHI = llama_like(
    "moshi",
    "Moshi",
    defaults={
        "ffn_dim": 22528,
        "max_position_embeddings": 3000,
        "rms_norm_eps": 1e-8,
        "bos_token_id": None,
        "eos_token_id": None,
    },
    without=["intermediate_size", "id2label"],
    irrelevant=frozenset(
        [
            "audio_encoder_config",
            "audio_vocab_size",
            "depth_decoder_config",
            "num_codebooks",
            "sliding_window",  # no mask of the library is made of it
        ]
    ),
    spec={
        "input": {"vocab_size": lambda values: values["vocab_size"] + 1},
        "feed_forward": {
            "hidden": Row(lambda values: values["ffn_dim"] // 2, lambda said: {"ffn_dim": said * 2})
        },
    },
    names={
        **{ours: f"{theirs}.linear" for ours, theirs in ATTENTION.items()},
        ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): "layers.{}.mlp.fc1",
        "layers.{}.feed_forward.down": "layers.{}.mlp.fc2",
    },
    heads={
        "MoshiForCausalLM": causal_heads("Moshi", spec=_FEWER_WORDS, tasks=())["MoshiForCausalLM"],
    },
)

FAMILIES = (
    MLLAMA_TEXT,
    MLLAMA,
    GIT,
    MOSHI,
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
