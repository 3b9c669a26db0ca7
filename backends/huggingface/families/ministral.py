"""Ministral (Mistral AI, 2024) and Ministral 3 (Liu et al., 2026, arXiv:2601.08584)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary, stated, with_parameters
from ..values import RefusedError, Values
from ._llama_like import llama_like
from ._rows import ALL_TASKS, causal_heads, local_and_global, mask_of


def _ministral_layers(values: Values) -> list[Layer]:
    types = values["layer_types"] or ["sliding_attention"] * values["num_hidden_layers"]
    return local_and_global({**values, "layer_types": types})


MINISTRAL = llama_like(
    "ministral",
    "Ministral",
    reads=keys("num_key_value_heads sliding_window"),
    optional={"layer_types": list, "sliding_window": int},
    layers=_ministral_layers,
    heads=causal_heads("Ministral", tasks=ALL_TASKS),
)

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
    parameters = stated(values) or _STRETCHED
    first, slope = (
        parameters.get(key) for key in ("original_max_position_embeddings", "llama_4_scaling_beta")
    )
    if first is None or slope is None:
        raise RefusedError(
            "`rope_parameters` must have `original_max_position_embeddings` and "
            "`llama_4_scaling_beta`"
        )
    rotary = Rotary()(with_parameters(values, parameters))
    grown = {"type": "temperature", "length": first, "slope": slope}
    return [rotary, grown] if slope else [rotary]


MINISTRAL3 = llama_like(
    "ministral3",
    "Ministral3",
    reads=keys("num_key_value_heads head_dim pad_token_id"),
    optional={"sliding_window": int},
    spec={"positions": _growing},
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    heads=causal_heads("Ministral3", tasks=ALL_TASKS, answers="model."),
)

FAMILIES = (MINISTRAL, MINISTRAL3)
