"""OLMoE (Muennighoff et al., 2024, arXiv:2409.02060)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..values import Key
from ._llama_like import QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED, mixture
from ._rows import causal_heads
from .qwen2_moe import NORMALIZED

OLMOE_MIXTURE: dict[str, Any] = {
    "attention": {"bias": Key("attention_bias"), "qk_norm": "projection"},
    "feed_forward": mixture("intermediate_size", router=NORMALIZED),
}

OLMOE = llama_like(
    "olmoe",
    "Olmoe",
    reads=keys("pad_token_id attention_bias num_experts num_experts_per_tok norm_topk_prob"),
    optional={"clip_qkv": float},
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED,
    spec={
        **OLMOE_MIXTURE,
        "attention": {**OLMOE_MIXTURE["attention"], "clip_qkv": Key("clip_qkv")},
    },
    names={**EXPERTS, **QK_NORMS},
    heads=causal_heads("Olmoe", tasks=()),
)

FAMILIES = (OLMOE,)
