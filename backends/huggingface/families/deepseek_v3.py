"""DeepSeek-V3 and R1 (DeepSeek-AI, 2024, arXiv:2412.19437): latent attention, sigmoid router."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..values import Values
from ._latent import DIM_KEYS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD, latent_rotary
from ._llama_like import llama_like
from ._moe import (
    EXPERTS,
    dense_and_sparse,
    mixture,
    named_sparse,
    selection_bias,
    shared,
    sigmoid_router,
    skipped_tensors,
    sparse_after,
    wide_shared,
)
from ._rows import TOKENS_TOO, causal_heads

V3_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=wide_shared("moe_intermediate_size", "n_shared_experts"),
)

V3_KEYS = keys(
    DIM_KEYS,
    "rope_interleave moe_intermediate_size n_routed_experts n_shared_experts",
    "num_experts_per_tok n_group topk_group norm_topk_prob routed_scaling_factor",
)

V3_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}

V3_NAMES: Names = {
    **LATENT_NAMES,
    **EXPERTS,
    **selection_bias(),
    **shared("mlp.shared_experts"),
}

V3_SPEC: dict[str, Any] = {"positions": latent_rotary, "attention": LATENT, "feed_forward": None}

V3_ALIASES = {"num_local_experts": "n_routed_experts"}


def _v3_layers(values: Values) -> list[Layer]:
    return dense_and_sparse(
        values, sparse_after(values["first_k_dense_replace"], values), V3_MIXTURE
    )


DEEPSEEK_V3 = llama_like(
    "deepseek_v3",
    "DeepseekV3",
    reads=keys(V3_KEYS, "first_k_dense_replace num_nextn_predict_layers"),
    optional={**OPTIONAL, "num_nextn_predict_layers": int},
    fixed=V3_FIXED,
    aliases=V3_ALIASES | {"num_mtp_layers": "num_nextn_predict_layers"},
    irrelevant=UNREAD,
    spec=V3_SPEC,
    layers=_v3_layers,
    names=V3_NAMES,
    unused=skipped_tensors,
    heads=causal_heads("DeepseekV3", tasks=TOKENS_TOO),
)


def named_layers(values: Values) -> list[bool]:
    """Sparse layers by `mlp_layer_types`, or else by `first_k_dense_replace` (default: 1)."""
    if values["mlp_layer_types"] is not None:
        return named_sparse(values)
    first = values["first_k_dense_replace"]
    return sparse_after(1 if first is None else first, values)


NAMED_OPTIONAL = {**OPTIONAL, "mlp_layer_types": list, "first_k_dense_replace": int}

FAMILIES = (DEEPSEEK_V3,)
