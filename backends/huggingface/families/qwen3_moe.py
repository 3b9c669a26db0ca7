"""Qwen 3 with experts (Yang et al., 2025, arXiv:2505.09388)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED, dense_and_sparse, mixture
from ._rows import ALL_TASKS, causal_heads, mask_of
from .qwen2 import QWEN_KEYS
from .qwen2_moe import NORMALIZED, SPARSE_KEYS, qwen_sparse

_QWEN3_MIXTURE = mixture(experts="num_local_experts", router=NORMALIZED)


def _qwen3_layers(values: Values) -> list[Layer]:
    window = values["sliding_window"] if values["use_sliding_window"] else None
    mask = mask_of("sliding_attention", {**values, "sliding_window": window})
    others = [("", {"mask": mask})] * values["num_hidden_layers"]
    return dense_and_sparse(
        values, qwen_sparse(values, "num_local_experts"), _QWEN3_MIXTURE, others=others
    )


QWEN3_MOE = llama_like(
    "qwen3_moe",
    "Qwen3Moe",
    reads=keys(
        QWEN_KEYS,
        SPARSE_KEYS,
        "attention_bias num_local_experts num_experts_per_tok moe_intermediate_size",
    ),
    own_defaults={"max_window_layers": 28},
    optional={"sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED | {"max_window_layers"},
    fixed={"qkv_bias": False, "shared_expert_intermediate_size": 0, "use_qk_norm": True},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_qwen3_layers,
    names={**EXPERTS, **QK_NORMS},
    heads=causal_heads("Qwen3Moe", tasks=ALL_TASKS),
)

FAMILIES = (QWEN3_MOE,)
