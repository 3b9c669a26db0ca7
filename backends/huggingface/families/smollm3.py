"""SmolLM 3 (Hugging Face, 2025): every fourth layer has no positions."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import llama_like
from ._rows import ALL_TASKS, causal_heads, mask_of

ROTARY = Rotary()


def _smollm_layers(values: Values) -> list[Layer]:
    """The blocks of layers with and without rotary positions, and with and without a window."""
    count, every_nth = values["num_hidden_layers"], values["no_rope_layer_interval"]
    turned = values["no_rope_layers"] or [int(i % every_nth != 0) for i in range(1, count + 1)]
    window = values["use_sliding_window"] and values["sliding_window"] is not None
    kinds = values["layer_types"] or [
        "sliding_attention" if window and not turns else "full_attention" for turns in turned
    ]
    layers: list[Layer] = []
    for kind, turns in zip(kinds, turned[:count], strict=True):
        name = ("turned" if turns else "free") + ("" if kind == "full_attention" else "_local")
        positions = ROTARY(values) if turns else "none"
        layers.append((name, {"mask": mask_of(kind, values), "positions": positions}))
    return layers


SMOLLM3 = llama_like(
    "smollm3",
    "SmolLM3",
    reads=keys(
        "num_key_value_heads pad_token_id no_rope_layer_interval use_sliding_window",
        "attention_bias mlp_bias",
    ),
    optional={"layer_types": list, "no_rope_layers": list, "sliding_window": int},
    irrelevant=frozenset(["max_window_layers", "pretraining_tp"]),
    spec={
        "positions": None,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    layers=_smollm_layers,
    heads=causal_heads("SmolLM3", tasks=ALL_TASKS),
)

FAMILIES = (SMOLLM3,)
