"""OLMo (Groeneveld et al., 2024, arXiv:2402.00838) and OLMo 2 and 3 (2025, arXiv:2501.00656)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import by_layer_type, of_layer_type
from ..values import Key, Values
from ._llama_like import OUTPUT_NORMS, QK_NORMS, llama_like
from ._rows import every, local_and_global

_KEYS = keys("pad_token_id attention_bias")

OLMO = llama_like(
    "olmo",
    "Olmo",
    reads=_KEYS,
    without=["rms_norm_eps"],
    optional={"clip_qkv": float},
    spec={
        "norm": {"type": "layernorm", "affine": False},
        "attention": {"bias": Key("attention_bias"), "clip_qkv": Key("clip_qkv")},
    },
)


_SPEC_2: dict[str, Any] = {
    "norm_placement": "output",
    "attention": {"bias": Key("attention_bias"), "qk_norm": "projection"},
}

OLMO2 = llama_like("olmo2", "Olmo2", reads=_KEYS, spec=_SPEC_2, names={**OUTPUT_NORMS, **QK_NORMS})


_THETA_3 = 500000.0


def _rotary_3(layer_type: str) -> Any:
    """Rotary positions of a layer type; RoPE scaling applies to full layers only."""

    def read(values: Values) -> dict[str, Any]:
        if layer_type == "sliding_attention":  # `rope_theta` applies to full layers
            values = {**values, "rope_theta": _THETA_3}
        return of_layer_type(by_layer_type(values, ["full_attention"]), layer_type)

    return read


def _layers_3(values: Values) -> list[Layer]:
    return local_and_global(
        every(values, 4),
        local={"positions": _rotary_3("sliding_attention")},
        **{"global": {"positions": _rotary_3("full_attention")}},
    )


OLMO3 = llama_like(
    "olmo3",
    "Olmo3",
    reads=keys(_KEYS, "sliding_window"),
    optional={"layer_types": list, "sliding_window": int},
    spec={**_SPEC_2, "positions": None},
    layers=_layers_3,
    names={**OUTPUT_NORMS, **QK_NORMS},
)

FAMILIES = (OLMO, OLMO2, OLMO3)
