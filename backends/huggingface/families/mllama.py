"""Llama 3.2 Vision (Meta, 2024), text only: without the cross-attention layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head, Names
from ..values import Key, Values
from ._llama_like import NAMES, UNUSED, llama_like
from ._multimodal import FEWER_WORDS


def _reads_text(values: Values) -> list[int]:
    """Indices, in the whole model, of the layers without cross-attention to an image."""
    images = values["cross_attention_layers"]
    return [layer for layer in range(values["num_hidden_layers"]) if layer not in images]


def _mllama_names(values: Values) -> Names:
    layers = {ours: theirs for ours, theirs in NAMES.items() if "{}" in str(ours)}
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
        reads=keys("num_key_value_heads pad_token_id dropout cross_attention_layers"),
        without=["attention_dropout"],
        spec={
            "layers": lambda values: len(_reads_text(values)),
            "input": {"vocab_size": lambda values: values["vocab_size"] + 8},  # 8 more for images
            "attention": {"dropout": Key("dropout")},
        },
        unused=_images,
        heads={
            name: Head(
                spec=FEWER_WORDS,
                names={"head": output},
                untied={f"{output}.weight": "embed_tokens.weight"},
                partial=True,
            ),
            **more.pop("others", {}),
        },
        note="Text only: images and cross-attention layers are not supported",
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
    others={"MllamaModel": Head(partial=True)},
)

FAMILIES = (MLLAMA_TEXT, MLLAMA)
