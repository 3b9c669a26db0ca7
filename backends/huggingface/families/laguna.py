"""Laguna (Poolside, 2026): gated attention, head counts that differ by layer."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import (
    EXPERTS,
    TRAINED,
    dense_and_sparse,
    glu,
    mixture,
    named_sparse,
    selection_bias,
    shared,
    sparse_after,
)
from ._rows import causal_heads, layer_types, local_and_global

_LAGUNA_ROPE = {
    "full_attention": {
        "rope_type": "default",
        "rope_theta": 500000.0,
        "partial_rotary_factor": 0.5,
    },
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}

_LAGUNA_MIXTURE = mixture(
    shared_expert=glu("shared_expert_intermediate_size"),
    router={
        "score": "sigmoid",
        "selection_bias": True,
        "scale": Key("moe_routed_scaling_factor"),
    },
)


def _laguna_layers(values: Values) -> list[Layer]:
    values = with_parameters(values, stated(values) or _LAGUNA_ROPE)
    heads = values["num_attention_heads_per_layer"]
    heads = heads or [values["num_attention_heads"]] * values["num_hidden_layers"]
    gate = "headwise" if values["gating"] in (True, "per-head") else "elementwise"
    others: list[Layer] = []
    types = layer_types(values)
    for (kind, block), layer_type, count in zip(
        local_and_global(values), types, heads, strict=True
    ):
        positions = Rotary(layer_type=layer_type, partial=True, by_layer_type=True)(values)
        attention = {"heads": count, "output_gate": gate}
        name = kind if len(set(heads)) == 1 else f"{kind}_{count}"
        others.append((name, {**block, "positions": positions, "attention": attention}))
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, _LAGUNA_MIXTURE, others=others)


LAGUNA = llama_like(
    "laguna",
    "Laguna",
    reads=keys(
        "num_key_value_heads head_dim sliding_window attention_bias gating",
        "moe_intermediate_size shared_expert_intermediate_size num_experts",
        "num_experts_per_tok moe_routed_scaling_factor",
    ),
    optional={
        "gating": object,
        "layer_types": list,
        "mlp_layer_types": list,
        "num_attention_heads_per_layer": list,
    },
    fixed={"moe_router_logit_softcapping": 0.0, "moe_apply_router_weight_on_input": False},
    irrelevant=TRAINED,
    spec={
        "positions": None,
        "attention": {
            "heads": None,
            "bias": Key("attention_bias"),
            "qk_norm": "head",
            "gate": "softplus",
        },
        "feed_forward": None,
    },
    layers=_laguna_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        **selection_bias("mlp.experts.e_score_correction_bias"),
        **QK_NORMS,
        "layers.{}.attention.output_gate": "layers.{}.self_attn.g_proj",
    },
    heads=causal_heads("Laguna", tasks=()),
)

FAMILIES = (LAGUNA,)
