"""Decoders that attend in both directions: `is_causal: false`, `use_bidirectional_attention`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import RefusedError, Values

KEY, GEMMA_KEY = "is_causal", "use_bidirectional_attention"
WINDOW = re.compile(r"causal & window\((\d+)\)")

BOTH_WAYS = frozenset(
    [
        "apertus",
        "arcee",
        "bert",
        "bert-generation",
        "codegen",
        "cohere",
        "cohere2",
        "ctrl",
        "cwm",
        "diffllama",
        "electra",
        "emu3_text_model",
        "ernie4_5",
        "ernie4_5_moe",
        "exaone4",
        "flex_olmo",
        "fuyu",
        "gemma",
        "gemma2",
        "gemma3_text",
        "glm",
        "glm4",
        "glm4_moe",
        "gpt2",
        "gpt_bigcode",
        "gpt_neox_japanese",
        "gpt_oss",
        "gptj",
        "granite",
        "granite_swa",
        "granitemoe",
        "helium",
        "hunyuan_v1_dense",
        "hunyuan_v1_moe",
        "hyperclovax",
        "internlm3",
        "iquestcoder",
        "llama",
        "minicpm3",
        "ministral",
        "ministral3",
        "mistral",
        "mixtral",
        "modernbert-decoder",
        "olmo",
        "olmo2",
        "olmo3",
        "olmoe",
        "opt",
        "phi",
        "phi3",
        "qwen2",
        "qwen2_moe",
        "qwen3",
        "qwen3_moe",
        "seed_oss",
        "smollm3",
        "starcoder2",
        "trocr",
        "vaultgemma",
        "xglm",
        "youtu",
    ]
)
"""Model types whose masks the library builds by functions that read this key."""


def in_both_directions(data: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The spec without causal masks if the config says so, as in embedding models.

    >>> llama = {"family": "decoder-only", "blocks": {"near": {"mask": "causal & window(4)"}}}
    >>> in_both_directions(llama, {"is_causal": False})
    {'family': 'encoder-only', 'blocks': {'near': {'mask': 'band(4)'}}}
    """
    both, gemma = values.get(KEY) is False, bool(values.get(GEMMA_KEY))
    if both and gemma:
        raise RefusedError(f"`{KEY}: false` beside `{GEMMA_KEY}` is not supported")
    if not (both or gemma):
        return dict(data)
    changed: dict[str, Any] = _without_causal(data, halved=gemma)
    return {**changed, "family": "encoder-only"}


def _without_causal(value: Any, key: str = "", *, halved: bool) -> Any:
    """A spec, or a part of it, without causal masks.

    halved: a window of n keys becomes n // 2 on each side (Gemma 3), not n
    """
    if isinstance(value, Mapping):
        return {name: _without_causal(inner, name, halved=halved) for name, inner in value.items()}
    if key != "mask" or "causal" not in str(value):
        return value
    if value == "causal":
        return "full"
    window = WINDOW.fullmatch(value)
    if window is None:
        raise RefusedError(
            f"`{GEMMA_KEY if halved else f'{KEY}: false'}` is not supported with the mask `{value}`"
        )
    return f"band({int(window[1]) // 2 if halved else window[1]})"
