"""Granite (IBM, 2024): multipliers on embeddings, residuals, scores and logits."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import llama_like
from ._rows import causal_heads, layer_types, mask_of

MULTIPLIER_KEYS = keys(
    "embedding_multiplier attention_multiplier residual_multiplier logits_scaling",
    "attention_bias mlp_bias",
)


def _scale(values: Values) -> float | None:
    width = values.get("head_dim") or values["hidden_size"] // values["num_attention_heads"]
    value: float = values["attention_multiplier"]
    return None if value == width**-0.5 else value


MULTIPLIED: dict[str, Any] = {
    "input": {"scale": Key("embedding_multiplier")},
    "residual": {"scale": Key("residual_multiplier")},
    "attention": {"bias": Key("attention_bias"), "scale": _scale},
    "feed_forward": {"bias": Key("mlp_bias")},
}


def scaled_head(read: Any) -> dict[str, Any]:
    scale = Key("logits_scaling", read=read)
    return {"head": {"type": "language_model", "tied": Key("tie_word_embeddings"), "scale": scale}}


DIVIDED = scaled_head(lambda scaling: 1 / scaling)

GRANITE = llama_like(
    "granite",
    "Granite",
    reads=MULTIPLIER_KEYS,
    spec=MULTIPLIED,
    heads=causal_heads("Granite", spec=DIVIDED, tasks=()),
)


def _rotary(values: Values, theta: float | None) -> dict[str, Any]:
    positions = Rotary()(values)
    return positions if theta is None else {**positions, "theta": theta}


def swa_layers(values: Values) -> list[Layer]:
    """A block for each combination of mask and theta; theta 0 means no positions."""
    if values.get("layer_types") is None:
        count = values["num_hidden_layers"]
        kinds = ["sliding_attention" if i % 4 else "full_attention" for i in range(count)]
    else:
        kinds = layer_types(values)
    thetas = values["layer_rope_theta"] or [None] * len(kinds)
    layers: list[Layer] = []
    for kind, theta in zip(kinds, thetas, strict=True):
        name = "global" if kind == "full_attention" else "local"
        several = len({t for k, t in zip(kinds, thetas, strict=True) if k == kind}) > 1
        positions = "none" if theta == 0 else _rotary(values, theta)
        if several:
            name += "_free" if theta == 0 else f"_{theta:.0f}"
        layers.append((name, {"mask": mask_of(kind, values), "positions": positions}))
    return layers


GRANITE_SWA = llama_like(
    "granite_swa",
    "GraniteSWA",
    reads=keys(MULTIPLIER_KEYS, "num_key_value_heads sliding_window"),
    optional={"layer_types": list, "layer_rope_theta": list, "sliding_window": int},
    spec={**MULTIPLIED, "positions": None, "attention": {**MULTIPLIED["attention"], "sinks": True}},
    layers=swa_layers,
    names={"layers.{}.attention.sinks": "layers.{}.self_attn.sinks"},
    heads=causal_heads("GraniteSWA", spec=DIVIDED, tasks=()),
)

FAMILIES = (GRANITE, GRANITE_SWA)
