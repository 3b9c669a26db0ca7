"""Llamas with windows: Ministral (Mistral AI, 2024) and CWM (Meta, 2025, arXiv:2510.02387)."""

from __future__ import annotations

from typing import Any

from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, RefusedError, Values
from .llama import llama_like
from .rows import ALL_TASKS, causal_heads, local_and_global, mask_of


def _ministral_layers(values: Values) -> list[Layer]:
    said = values["layer_types"] or ["sliding_attention"] * values["num_hidden_layers"]
    return local_and_global({**values, "layer_types": said})


MINISTRAL = llama_like(
    "ministral",
    "Ministral",
    defaults={
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "sliding_window": 4096,
    },
    optional={"layer_types": list, "sliding_window": int},
    layers=_ministral_layers,
    heads=causal_heads("Ministral", tasks=ALL_TASKS),
)

# -- Code World Model

_LONGER = {
    "rope_type": "llama3",
    "rope_theta": 1_000_000.0,
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def _cwm_rotary(values: Values) -> dict[str, Any]:
    said = values.get("rope_parameters") or values.get("rope_scaling")
    return Rotary()({**values, "rope_parameters": said or _LONGER})


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

# -- Ministral 3 (Mistral AI, 2026, arXiv:2601.08584): queries grow with their positions

_STRETCHED: dict[str, Any] = {
    "rope_type": "yarn",
    "rope_theta": 1_000_000.0,
    "factor": 16.0,
    "original_max_position_embeddings": 16384,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}


def _growing(values: Values) -> list[dict[str, Any]]:
    said = values.get("rope_parameters") or _STRETCHED
    first, slope = (
        said.get(key) for key in ("original_max_position_embeddings", "llama_4_scaling_beta")
    )
    if first is None or slope is None:
        raise RefusedError(
            "`rope_parameters` must say `original_max_position_embeddings` and "
            "`llama_4_scaling_beta`, by which queries grow"
        )
    turned = Rotary()({**values, "rope_parameters": said})
    grown = {"type": "temperature", "length": first, "slope": slope}
    return [turned, grown] if slope else [turned]


MINISTRAL3 = llama_like(
    "ministral3",
    "Ministral3",
    defaults={
        "vocab_size": 131072,
        "intermediate_size": 14336,
        "num_hidden_layers": 34,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 11,
        "rope_theta": 1_000_000.0,
    },
    optional={"sliding_window": int},
    spec={"positions": _growing},
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    heads=causal_heads("Ministral3", tasks=ALL_TASKS),
)

FAMILIES = (MINISTRAL, CWM, MINISTRAL3)
