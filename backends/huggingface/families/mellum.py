"""Mellum (JetBrains, 2026)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import (
    EXPERTS,
    PREDICTION_KEYS,
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    sparse_after,
)
from ._rows import causal_heads, layer_types, local_and_global

_MELLUM_ROPE = {
    "full_attention": {"rope_type": "default", "rope_theta": 500000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}

_MELLUM_MIXTURE = mixture(experts="num_local_experts", router={"normalize": Key("norm_topk_prob")})


def _mellum_layers(values: Values) -> list[Layer]:
    values = with_parameters(values, stated(values) or _MELLUM_ROPE)
    others = [
        (
            kind,
            {
                **block,
                "positions": Rotary(layer_type=layer_type, partial=True, by_layer_type=True)(
                    values
                ),
            },
        )
        for (kind, block), layer_type in zip(
            local_and_global(values), layer_types(values), strict=True
        )
    ]
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(0, values)
    return dense_and_sparse(values, sparse, _MELLUM_MIXTURE, others=others)


MELLUM = llama_like(
    "mellum",
    "Mellum",
    reads=keys(
        "num_key_value_heads head_dim attention_bias sliding_window moe_intermediate_size",
        "num_local_experts num_experts_per_tok norm_topk_prob",
    ),
    optional={"layer_types": list, "mlp_layer_types": list, "sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED
    | {"num_nextn_predict_layers", "num_mtp_layers", "mtp_layer_types", "mtp_mlp_layer_types"},
    spec={
        "positions": None,
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_mellum_layers,
    names={**EXPERTS, **QK_NORMS},
    unused=PREDICTION_KEYS,
    heads=causal_heads("Mellum", tasks=()),
)

FAMILIES = (MELLUM,)
