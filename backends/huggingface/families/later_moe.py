"""Mixtures with windows and layers that have no positions: Trinity (Arcee, 2025), Flint (2026)
and Command A's later ones (Cohere, 2026)."""

from __future__ import annotations

from typing import Any

from ..family import Names
from ..layers import Layer
from ..rotary import Rotary
from ..values import IfSet, Key, RefusedError, Values, filled
from .cohere import COHERE_DEFAULTS, COHERE_HEAD, COHERE_NAMES, COHERE_ROTARY, COHERE_SPEC
from .expert_rows import (
    EXPERTS,
    TRAINED,
    dense_and_sparse,
    glu,
    mixture,
    named_sparse,
    router,
    selection_bias,
    separate,
    several,
    shared,
    sparse_after,
)
from .llama import QK_NORMS, llama_like
from .qwen_moe import qwen_sparse
from .rows import causal_heads, every, layer_types, local_and_global
from .stablelm import PROJECTED

_OPTIONAL: dict[str, type] = {"layer_types": list, "sliding_window": int}
_BIASED: dict[str, Any] = {"bias": Key("attention_bias"), "qk_norm": "head"}

# -- Trinity

_AFMOE_MIXTURE = mixture(
    router={"score": "sigmoid", "selection_bias": True, "scale": Key("route_scale")},
    shared_expert=several("moe_intermediate_size", "num_shared_experts"),
)
_SANDWICH: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.attention_output_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.pre_mlp_layernorm",
    "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
}


def _afmoe_layers(values: Values) -> list[Layer]:
    """Only layers with windows have positions."""
    others = local_and_global(
        every(values, values["global_attn_every_n_layers"]), local={"positions": Rotary()}
    )
    sparse = sparse_after(values["num_dense_layers"], values)
    return dense_and_sparse(values, sparse, _AFMOE_MIXTURE, others=others)


AFMOE = llama_like(
    "afmoe",
    "Afmoe",
    defaults={
        "vocab_size": 200192,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "head_dim": 128,
        "max_position_embeddings": 16384,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "mup_enabled": False,
        "sliding_window": 1024,
        "global_attn_every_n_layers": 4,
        "num_dense_layers": 1,
        "moe_intermediate_size": 1408,
        "num_experts": 64,
        "num_experts_per_tok": 6,
        "num_shared_experts": 2,
        "route_scale": 1.0,
    },
    optional=_OPTIONAL,
    fixed={
        "n_group": 1,
        "topk_group": 1,
        "num_expert_groups": 1,
        "num_limited_groups": 1,
        "route_norm": True,
        "score_func": "sigmoid",
    },
    irrelevant=TRAINED | {"load_balance_coeff", "use_grouped_mm"},
    spec={
        "norm_placement": "sandwich",
        "input": {"scale": IfSet("mup_enabled", "sqrt_d_model")},
        "positions": None,
        "attention": {
            "bias": IfSet("attention_bias", [*PROJECTED, "output"]),
            "qk_norm": "head",
            "output_gate": "elementwise",
        },
        "feed_forward": None,
    },
    layers=_afmoe_layers,
    names={
        **_SANDWICH,
        **QK_NORMS,
        "layers.{}.attention.output_gate": "layers.{}.self_attn.gate_proj",
        **router("mlp.router.gate"),
        **separate("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_experts"),
    },
    heads=causal_heads("Afmoe", tasks=()),
)

# -- Flint

_FLINT_MIXTURE = mixture(
    router={"score": "sigmoid", "normalize": Key("norm_topk_prob")},
    shared_expert=glu("shared_expert_intermediate_size"),
)


def _flint_layers(values: Values) -> list[Layer]:
    """Every fourth layer, the first and the last see everything, and have no positions."""
    if values["layer_types"] is None:
        count = values["num_hidden_layers"]
        everywhere = [i < 2 or i % 4 == 1 or i == count - 1 for i in range(count)]
        kinds = ["full_attention" if every else "sliding_attention" for every in everywhere]
        values = {**values, "layer_types": kinds}
    others = local_and_global(values, local={"positions": Rotary()})
    return dense_and_sparse(
        values, qwen_sparse(values, "num_experts"), _FLINT_MIXTURE, others=others
    )


FLINT = llama_like(
    "flint",
    "Flint",
    defaults={
        "vocab_size": 150144,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 49,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "sliding_window": 513,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [0, 1],
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 1024,
        "num_experts": 256,
        "num_experts_per_tok": 6,
        "norm_topk_prob": True,
    },
    optional={"layer_types": list},
    irrelevant=TRAINED,
    spec={
        "positions": None,
        "attention": {**_BIASED, "sinks": True},
        "feed_forward": None,
    },
    layers=_flint_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        **QK_NORMS,
        "layers.{}.attention.sinks": "layers.{}.self_attn.softmax_offset",
    },
    heads=causal_heads("Flint", tasks=()),
)

# -- Cohere


def _cohere_router(values: Values) -> dict[str, Any]:
    kind = values["expert_selection_fn"]
    if kind not in ("softmax", "sigmoid"):
        raise RefusedError(f"`expert_selection_fn: {kind}` is not supported yet")
    return {"score": kind, "normalize": kind == "softmax" or values["norm_topk_prob"]}


def _cohere_shared(values: Values) -> Any:
    said = several("intermediate_size", "num_shared_experts")(values)
    if said and values["shared_expert_combination_strategy"] != "sum":
        raise RefusedError("the average of shared and chosen experts is not supported yet")
    return said


_COHERE_MIXTURE = {
    **mixture("intermediate_size", router=_cohere_router),
    "shared_expert": _cohere_shared,
}


def _cohere_kinds(values: Values, dense: int) -> list[str]:
    """Which layers have windows: in turns of their own for the dense ones in front."""
    turns = [values["prefix_dense_sliding_window_pattern"], values["sliding_window_pattern"]]
    count = values["num_hidden_layers"]
    places = [(i + 1) % turns[0] for i in range(dense)]
    places += [(i + 1) % turns[1] for i in range(count - dense)]
    return ["sliding_attention" if place else "full_attention" for place in places]


def _cohere_layers(values: Values) -> list[Layer]:
    """Layers with windows have positions; so have dense ones, where these have no windows."""
    first = values["first_k_dense_replace"] or 0
    if values["layer_types"] is None:
        values = {**values, "layer_types": _cohere_kinds(values, first)}
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(first, values)
    turned = filled({"positions": COHERE_ROTARY}, values)
    others: list[Layer] = []
    for (kind, block), layer_type, is_sparse in zip(
        local_and_global(values), layer_types(values), sparse, strict=True
    ):
        window = layer_type == "sliding_attention" and values["sliding_window"] is not None
        forced = not is_sparse and values["prefix_dense_sliding_window_pattern"] == 1
        others.append((kind, {**block, **(turned if window or forced else {})}))
    wide = values["prefix_dense_intermediate_size"] or values["intermediate_size"]
    return dense_and_sparse(values, sparse, _COHERE_MIXTURE, dense=lambda _: wide, others=others)


def _cohere_norm(values: Values) -> dict[str, Any]:
    if values["rms_norm_eps"] is None:
        return {"type": "layernorm", "bias": False, "eps": values["layer_norm_eps"]}
    return {"type": "rmsnorm", "eps": values["rms_norm_eps"]}


COHERE2_MOE = llama_like(
    "cohere2_moe",
    "Cohere2Moe",
    defaults={
        **COHERE_DEFAULTS,
        "head_dim": 128,
        "sliding_window": 4096,
        "sliding_window_pattern": 4,
        "prefix_dense_sliding_window_pattern": 1,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "num_shared_experts": 0,
        "shared_expert_combination_strategy": "average",
        "expert_selection_fn": "softmax",
        "norm_topk_prob": True,
    },
    without=["rms_norm_eps"],
    optional={
        **_OPTIONAL,
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

FAMILIES = (AFMOE, FLINT, COHERE2_MOE)
