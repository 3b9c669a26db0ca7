"""Decoders that attend in both directions: `is_causal: false`, `use_bidirectional_attention`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import RefusedError, Values

KEY, GEMMA_KEY = "is_causal", "use_bidirectional_attention"
WINDOW = re.compile(r"causal & window\((\d+)\)")

_IGNORED = "has no effect in the library, where this model type is always causal; remove the key"
_PADDED = (
    "is not supported: in the library, only batches with padding then attend in both directions"
)
CAUSAL_ONLY = {
    "bloom": "is not supported: ALiBi of the library then depends on the position of the key alone",
    "clip_text_model": _PADDED,
    "gpt_neo": _IGNORED,
    "imagegpt": _IGNORED,
    "minimax": "is not supported: lightning attention is causal",
    "mpt": "is not supported: the library cannot run such a model",
    "nemotron": _PADDED,
    "openai-gpt": _IGNORED,
    "stablelm": _PADDED,
}
"""Model type of a decoder -> why `is_causal: false` is refused.

The library builds the masks of all others by functions that read this key.
"""


def in_both_directions(
    data: Mapping[str, Any], values: Values, model_type: str = ""
) -> dict[str, Any]:
    """The spec without causal masks if the config says so, as in embedding models.

    >>> llama = {"family": "decoder-only", "blocks": {"near": {"mask": "causal & window(4)"}}}
    >>> in_both_directions(llama, {"is_causal": False})
    {'family': 'encoder-only', 'blocks': {'near': {'mask': 'band(4)'}}}
    """
    both, gemma = values.get(KEY) is False, bool(values.get(GEMMA_KEY))
    if both and gemma:
        raise RefusedError(f"`{KEY}: false` beside `{GEMMA_KEY}` is not supported")
    if not (both or gemma) or data["family"] == "encoder-only":
        return dict(data)
    if both and model_type in CAUSAL_ONLY:
        raise RefusedError(f"`{KEY}: false` {CAUSAL_ONLY[model_type]}")
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
