"""Code World Model (Meta, 2025, arXiv:2510.02387): a Llama with windows in most layers."""

from __future__ import annotations

from typing import Any

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
    said = values["layer_types"] or [
        "sliding_attention" if i % 4 else "full_attention" for i in range(count)
    ]
    return local_and_global({**values, "layer_types": said})


CWM = llama_like(
    "cwm",
    "Cwm",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 6144,
        "intermediate_size": 21504,
        "num_hidden_layers": 64,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009],
        "rope_theta": 1_000_000.0,
        "sliding_window": 8192,
        "mlp_bias": False,
    },
    optional={"layer_types": list, "sliding_window": int},
    irrelevant=frozenset(["pretraining_tp"]),
    spec={"positions": _cwm_rotary, "feed_forward": {"bias": Key("mlp_bias")}},
    layers=_cwm_layers,
    heads=causal_heads("Cwm", tasks=()),
)

FAMILIES = (CWM,)
