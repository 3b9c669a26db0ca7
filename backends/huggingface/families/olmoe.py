"""OLMoE (Muennighoff et al., 2024, arXiv:2409.02060)."""

from __future__ import annotations

from typing import Any

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
    defaults={
        "vocab_size": 50304,
        "hidden_size": 2048,
        "intermediate_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": None,
        "eos_token_id": 50279,
        "attention_bias": False,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "norm_topk_prob": False,
    },
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
