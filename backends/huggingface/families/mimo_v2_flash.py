"""MiMo-V2-Flash (Xiao et al., 2026, arXiv:2601.02780): windows, sinks, narrow values."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, Values
from ._llama_like import PROJECTED, UNUSED, llama_like
from ._moe import (
    EXPERTS,
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    selection_bias,
    sigmoid_router,
    sparse_after,
)
from ._rows import causal_heads, layer_types, local_and_global

_ROPE = {
    "full_attention": {"rope_theta": 5_000_000.0, "partial_rotary_factor": 0.334},
    "sliding_attention": {"rope_theta": 10_000.0, "partial_rotary_factor": 0.334},
}

_MIXTURE = mixture(experts="n_routed_experts", router=sigmoid_router)


def _types(values: Values) -> Values:
    """Set missing layer types: the first and every sixth layer are full."""
    if values["layer_types"] is not None:
        return values
    full = [not i or not (i + 1) % 6 for i in range(values["num_hidden_layers"])]
    return {
        **values,
        "layer_types": ["full_attention" if each else "sliding_attention" for each in full],
    }


def _rotary(layer_type: str, values: Values) -> dict[str, Any]:
    """Rotary positions; the rotated width is rounded down, as in the library.

    If the config does not set the fraction, it is 1 with RoPE scaling and 0.334 without.
    """
    kind = Rotary(layer_type=layer_type, by_layer_type=True).parameters(values)
    usual = 0.334 if kind.get("rope_type", kind.get("type", "default")) == "default" else 1.0
    rotary = Rotary(layer_type=layer_type, fraction=usual, partial=True, by_layer_type=True)
    positions = rotary(values)
    width: int = values["head_dim"]
    return {**positions, "fraction": int(width * positions["fraction"]) / width}


def _layers(values: Values) -> list[Layer]:
    """Layers with a window have sinks and twice as many key-value heads."""
    values = _types(values)
    values = with_parameters(values, stated(values) or _ROPE)
    others = []
    for (kind, block), layer_type in zip(
        local_and_global(values), layer_types(values), strict=True
    ):
        local = layer_type == "sliding_attention"
        attention = {"kv_heads": values["num_key_value_heads"] * (2 if local else 1)}
        if local:
            attention["sinks"] = True
        positions = _rotary(layer_type, values)
        others.append((kind, {**block, "positions": positions, "attention": attention}))
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, _MIXTURE, others=others)


def _scale(values: Values) -> float:
    value: float | None = values["attention_value_scale"]
    return 1.0 if value is None else value


_NAMES: Names = {
    **EXPERTS,
    **selection_bias(),
    "layers.{}.attention.sinks": "layers.{}.self_attn.attention_sink_bias",
    "layers.{}.attention.value": Layout("layers.{}.self_attn.v_proj", factor=_scale),
}

_SPEC: dict[str, Any] = {
    "positions": None,
    "attention": {
        "kv_heads": None,
        "value_dim": Key("v_head_dim"),
        "bias": lambda values: list(PROJECTED) if values["attention_bias"] else None,
    },
    "feed_forward": None,
}

MIMO_V2_FLASH = llama_like(
    "mimo_v2_flash",
    "MiMoV2Flash",
    reads=keys(
        "num_key_value_heads head_dim v_head_dim attention_bias sliding_window",
        "moe_intermediate_size n_routed_experts num_experts_per_tok n_group topk_group",
        "norm_topk_prob routed_scaling_factor attention_value_scale",
    ),
    optional={"layer_types": list, "mlp_layer_types": list, "attention_value_scale": float},
    aliases={"num_local_experts": "n_routed_experts"},
    irrelevant=TRAINED,
    spec=_SPEC,
    layers=_layers,
    names=_NAMES,
    unused=(*UNUSED, r"mtp\..*"),
    heads=causal_heads("MiMoV2Flash", tasks=()),
    note="`attention_value_scale` is multiplied into the value projections",
)

FAMILIES = (MIMO_V2_FLASH,)
