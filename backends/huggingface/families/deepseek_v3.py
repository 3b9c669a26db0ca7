"""DeepSeek-V3 and R1 (2024, arXiv:2412.19437): latent attention, sigmoid router."""

from __future__ import annotations

from typing import Any

from ..family import Names
from ..layers import Layer
from ..values import Values
from ._latent import DIMS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD, turned
from ._llama_like import llama_like
from ._moe import (
    EXPERTS,
    dense_and_sparse,
    mixture,
    named_sparse,
    predicted,
    selection_bias,
    several,
    shared,
    sigmoid_router,
    sparse_after,
)
from ._rows import TOKENS_TOO, causal_heads

V3_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=several("moe_intermediate_size", "n_shared_experts"),
)

V3_DEFAULTS: dict[str, Any] = {
    **DIMS,
    "vocab_size": 129280,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "max_position_embeddings": 4096,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "rope_interleave": True,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "n_group": 8,
    "topk_group": 4,
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
}

V3_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}

V3_NAMES: Names = {
    **LATENT_NAMES,
    **EXPERTS,
    **selection_bias(),
    **shared("mlp.shared_experts"),
}

V3_SPEC: dict[str, Any] = {"positions": turned, "attention": LATENT, "feed_forward": None}

V3_ALIASES = {"num_local_experts": "n_routed_experts"}


def _v3_layers(values: Values) -> list[Layer]:
    return dense_and_sparse(
        values, sparse_after(values["first_k_dense_replace"], values), V3_MIXTURE
    )


DEEPSEEK_V3 = llama_like(
    "deepseek_v3",
    "DeepseekV3",
    defaults={**V3_DEFAULTS, "first_k_dense_replace": 3, "num_nextn_predict_layers": 1},
    optional={**OPTIONAL, "num_nextn_predict_layers": int},
    fixed=V3_FIXED,
    aliases=V3_ALIASES | {"num_mtp_layers": "num_nextn_predict_layers"},
    irrelevant=UNREAD,
    spec=V3_SPEC,
    layers=_v3_layers,
    names=V3_NAMES,
    unused=predicted,
    heads=causal_heads("DeepseekV3", tasks=TOKENS_TOO),
)


def named_layers(values: Values) -> list[bool]:
    """As `mlp_layer_types` says; without it, dense are as many as older configs say, or one."""
    if values["mlp_layer_types"] is not None:
        return named_sparse(values)
    first = values["first_k_dense_replace"]
    return sparse_after(1 if first is None else first, values)


NAMED_OPTIONAL = {**OPTIONAL, "mlp_layer_types": list, "first_k_dense_replace": int}

FAMILIES = (DEEPSEEK_V3,)
