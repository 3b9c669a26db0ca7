"""Hunyuan 3 (Tencent, 2026)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import Key, Values
from ._llama_like import QK_NORMS, UNUSED, llama_like
from ._moe import (
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    router,
    selection_bias,
    separate_experts,
    shared,
    sparse_after,
    wide_shared,
)
from ._rows import causal_heads


def _hy_layers(values: Values) -> list[Layer]:
    biased = {"bias": values["mlp_bias"]}
    wide = wide_shared("moe_intermediate_size", "num_shared_experts")(values)
    scale = values["router_scaling_factor"]
    mixed = mixture(
        router={"score": "sigmoid", "selection_bias": True, "scale": scale},
        shared_expert=wide and {**wide, **biased},
    )
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, mixed, biased=biased)


HY_V3 = llama_like(
    "hy_v3",
    "HYV3",
    reads=keys(
        "num_key_value_heads head_dim attention_bias mlp_bias num_experts num_experts_per_tok",
        "num_shared_experts moe_intermediate_size router_scaling_factor",
    ),
    optional={"mlp_layer_types": list},
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED | {"enable_moe_fp32_combine"},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_hy_layers,
    names={
        **router("mlp.router.gate"),
        **separate_experts("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_mlp"),
        **QK_NORMS,
    },
    unused=(*UNUSED, r"layers\.80\..*"),
    heads=causal_heads("HYV3", tasks=()),
)

FAMILIES = (HY_V3,)
