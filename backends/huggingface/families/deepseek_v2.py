"""DeepSeek-V2 (DeepSeek-AI, 2024, arXiv:2405.04434): latent attention, group-limited experts."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import RefusedError, Values
from ._latent import DIM_KEYS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD
from ._llama_like import llama_like
from ._moe import (
    EXPERTS,
    chosen_groups,
    dense_and_sparse,
    mixture,
    shared,
    sparse_after,
    wide_shared,
)
from ._rows import SEQUENCE, causal_heads


def _v2_router(values: Values) -> dict[str, Any]:
    method = values["topk_method"]
    router: dict[str, Any] = {"normalize": False, "scale": values["routed_scaling_factor"]}
    if method == "group_limited_greedy":
        router["groups"] = chosen_groups(values)
    elif method != "greedy":
        raise RefusedError(f"`topk_method: {method}` is not supported yet")
    return router


def _v2_layers(values: Values) -> list[Layer]:
    biased = {"bias": values["mlp_bias"]}
    wide = wide_shared("moe_intermediate_size", "n_shared_experts")(values)
    mixed = mixture(
        experts="n_routed_experts",
        router=_v2_router,
        shared_expert=wide and {**wide, **biased},
    )
    sparse = sparse_after(values["first_k_dense_replace"], values)
    return dense_and_sparse(values, sparse, mixed, biased=biased)


DEEPSEEK_V2 = llama_like(
    "deepseek_v2",
    "DeepseekV2",
    reads=keys(
        DIM_KEYS,
        "mlp_bias first_k_dense_replace moe_intermediate_size n_routed_experts",
        "n_shared_experts routed_scaling_factor topk_method",
    ),
    optional={
        **OPTIONAL,
        "n_group": int,
        "topk_group": int,
        "num_experts_per_tok": int,
        "n_shared_experts": int,
    },
    fixed={"norm_topk_prob": False, "moe_layer_freq": 1, "scoring_func": "softmax"},
    aliases={"num_experts": "n_routed_experts"},
    irrelevant=UNREAD,
    spec={
        "positions": Rotary(interleaved=True, scores=True),
        "attention": LATENT,
        "feed_forward": None,
    },
    layers=_v2_layers,
    names={**LATENT_NAMES, **EXPERTS, **shared("mlp.shared_experts")},
    heads=causal_heads("DeepseekV2", tasks=SEQUENCE),
)

FAMILIES = (DEEPSEEK_V2,)
