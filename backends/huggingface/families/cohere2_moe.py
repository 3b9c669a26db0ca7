"""Command A with experts (Cohere, 2026)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..values import RefusedError, Values, filled
from ._llama_like import llama_like
from ._moe import (
    EXPERTS,
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    shared,
    sparse_after,
    wide_shared,
)
from ._rows import causal_heads, layer_types, local_and_global
from .afmoe import WINDOWED_OPTIONAL
from .cohere import COHERE_HEAD, COHERE_KEYS, COHERE_NAMES, COHERE_ROTARY, COHERE_SPEC


def _cohere_router(values: Values) -> dict[str, Any]:
    kind = values["expert_selection_fn"]
    if kind not in ("softmax", "sigmoid"):
        raise RefusedError(f"`expert_selection_fn: {kind}` is not supported yet")
    return {"score": kind, "normalize": kind == "softmax" or values["norm_topk_prob"]}


def _cohere_shared(values: Values) -> Any:
    expert = wide_shared("intermediate_size", "num_shared_experts")(values)
    if expert and values["shared_expert_combination_strategy"] != "sum":
        raise RefusedError("the average of shared and chosen experts is not supported yet")
    return expert


_COHERE_MIXTURE = {
    **mixture("intermediate_size", router=_cohere_router),
    "shared_expert": _cohere_shared,
}


def _cohere_kinds(values: Values, dense: int) -> list[str]:
    """The type of each layer; the dense layers at the start have a pattern of their own."""
    turns = [values["prefix_dense_sliding_window_pattern"], values["sliding_window_pattern"]]
    count = values["num_hidden_layers"]
    places = [(i + 1) % turns[0] for i in range(dense)]
    places += [(i + 1) % turns[1] for i in range(count - dense)]
    return ["sliding_attention" if place else "full_attention" for place in places]


def _cohere_layers(values: Values) -> list[Layer]:
    """Layers with windows have positions, and so do dense layers if all of these are full."""
    if values.get("rope_scaling"):
        raise RefusedError("`rope_scaling` is ignored by the library; use `rope_parameters`")
    first = values["first_k_dense_replace"] or 0
    if values["layer_types"] is None:
        values = {**values, "layer_types": _cohere_kinds(values, first)}
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(first, values)
    rotary = filled({"positions": COHERE_ROTARY}, values)
    others: list[Layer] = []
    for (kind, block), layer_type, is_sparse in zip(
        local_and_global(values), layer_types(values), sparse, strict=True
    ):
        window = layer_type == "sliding_attention" and values["sliding_window"] is not None
        forced = not is_sparse and values["prefix_dense_sliding_window_pattern"] == 1
        others.append((kind, {**block, **(rotary if window or forced else {})}))
    wide = values["prefix_dense_intermediate_size"] or values["intermediate_size"]
    return dense_and_sparse(values, sparse, _COHERE_MIXTURE, dense=lambda _: wide, others=others)


def _cohere_norm(values: Values) -> dict[str, Any]:
    if values["rms_norm_eps"] is None:
        return {"type": "layernorm", "bias": False, "eps": values["layer_norm_eps"]}
    return {"type": "rmsnorm", "eps": values["rms_norm_eps"]}


COHERE2_MOE = llama_like(
    "cohere2_moe",
    "Cohere2Moe",
    reads=keys(
        COHERE_KEYS,
        "head_dim sliding_window sliding_window_pattern prefix_dense_sliding_window_pattern",
        "num_experts num_experts_per_tok num_shared_experts",
        "shared_expert_combination_strategy expert_selection_fn norm_topk_prob",
    ),
    without=["rms_norm_eps"],
    optional={
        **WINDOWED_OPTIONAL,
        "mlp_layer_types": list,
        "rms_norm_eps": float,
        "first_k_dense_replace": int,
        "prefix_dense_intermediate_size": int,
    },
    irrelevant=TRAINED,
    spec={**COHERE_SPEC, "norm": _cohere_norm, "positions": None, "feed_forward": None},
    layers=_cohere_layers,
    names={**COHERE_NAMES, **EXPERTS, **shared("mlp.shared_experts")},
    heads=causal_heads("Cohere2Moe", spec=COHERE_HEAD, tasks=()),
)

FAMILIES = (COHERE2_MOE,)
