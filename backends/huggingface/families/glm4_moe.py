"""GLM-4.5 (GLM-4.5 Team, 2025, arXiv:2508.06471)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import IfSet, Values
from ._llama_like import PROJECTED, QK_NORMS, llama_like
from ._moe import (
    GROUP_ALIASES,
    GROUP_FIXED,
    GROUP_KEYS,
    SIGMOID_MIXTURE,
    SIGMOID_NAMES,
    TRAINED,
    dense_and_sparse,
    skipped_tensors,
    sparse_after,
)
from ._rows import causal_heads


def _after_the_first(values: Values) -> list[Layer]:
    return dense_and_sparse(
        values, sparse_after(values["first_k_dense_replace"], values), SIGMOID_MIXTURE
    )


GLM4_MOE = llama_like(
    "glm4_moe",
    "Glm4Moe",
    reads=keys(
        GROUP_KEYS,
        "num_key_value_heads attention_bias use_qk_norm first_k_dense_replace",
        "moe_intermediate_size n_routed_experts n_shared_experts num_experts_per_tok",
        "num_nextn_predict_layers",
    ),
    optional={"num_nextn_predict_layers": int},
    fixed=GROUP_FIXED,
    aliases=GROUP_ALIASES | {"num_mtp_layers": "num_nextn_predict_layers"},
    irrelevant=TRAINED,
    spec={
        "positions": Rotary(fraction=0.5),
        "attention": {
            "bias": IfSet("attention_bias", PROJECTED),
            "qk_norm": IfSet("use_qk_norm", "head"),
        },
        "feed_forward": None,
    },
    layers=_after_the_first,
    names={**SIGMOID_NAMES, **QK_NORMS},
    unused=skipped_tensors,
    heads=causal_heads("Glm4Moe", tasks=()),
)

FAMILIES = (GLM4_MOE,)
