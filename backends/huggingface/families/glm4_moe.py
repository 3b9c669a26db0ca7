"""GLM-4.5 (2025, arXiv:2508.06471)."""

from __future__ import annotations

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
    predicted,
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
    defaults={
        **GROUP_KEYS,
        "vocab_size": 151552,
        "intermediate_size": 10944,
        "num_hidden_layers": 46,
        "num_attention_heads": 96,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "use_qk_norm": False,
        "first_k_dense_replace": 1,
        "moe_intermediate_size": 1408,
        "n_routed_experts": 128,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "num_nextn_predict_layers": 1,
    },
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
    unused=predicted,
    heads=causal_heads("Glm4Moe", tasks=()),
)

FAMILIES = (GLM4_MOE,)
