"""Code World Model (Meta, 2025, arXiv:2510.02387): a Llama with windows in most layers."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, Values
from ._llama_like import llama_like
from ._rows import causal_heads, local_and_global

_LONGER = {
    "rope_type": "llama3",
    "rope_theta": 1_000_000.0,
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def _cwm_rotary(values: Values) -> dict[str, Any]:
    return Rotary()(with_parameters(values, stated(values) or _LONGER))


def _cwm_layers(values: Values) -> list[Layer]:
    count = values["num_hidden_layers"]
    types = values["layer_types"] or [
        "sliding_attention" if i % 4 else "full_attention" for i in range(count)
    ]
    return local_and_global({**values, "layer_types": types})


CWM = llama_like(
    "cwm",
    "Cwm",
    reads=keys("num_key_value_heads head_dim sliding_window mlp_bias"),
    optional={"layer_types": list, "sliding_window": int},
    irrelevant=frozenset(["pretraining_tp"]),
    spec={"positions": _cwm_rotary, "feed_forward": {"bias": Key("mlp_bias")}},
    layers=_cwm_layers,
    heads=causal_heads("Cwm", tasks=()),
)

FAMILIES = (CWM,)
