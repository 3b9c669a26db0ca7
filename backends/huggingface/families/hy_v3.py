"""Hunyuan 3 (Tencent, 2026)."""

from __future__ import annotations

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
    separate,
    several,
    shared,
    sparse_after,
)
from ._rows import causal_heads


def _hy_layers(values: Values) -> list[Layer]:
    biased = {"bias": values["mlp_bias"]}
    wide = several("moe_intermediate_size", "num_shared_experts")(values)
    scale = values["router_scaling_factor"]
    said = mixture(
        router={"score": "sigmoid", "selection_bias": True, "scale": scale},
        shared_expert=wide and {**wide, **biased},
    )
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, said, biased=biased)


HY_V3 = llama_like(
    "hy_v3",
    "HYV3",
    defaults={
        "vocab_size": 120832,
        "intermediate_size": 13312,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "initializer_range": 0.006,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_theta": 11158840.0,
        "attention_bias": False,
        "mlp_bias": False,
        "num_experts": 192,
        "num_experts_per_tok": 8,
        "num_shared_experts": 1,
        "moe_intermediate_size": 1536,
        "router_scaling_factor": 2.826,
    },
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
        **separate("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_mlp"),
        **QK_NORMS,
    },
    unused=(*UNUSED, r"layers\.80\..*"),
    heads=causal_heads("HYV3", tasks=()),
)

FAMILIES = (HY_V3,)
