"""GLM-4.7-Flash (Z.ai, 2026): DeepSeek-V3 with named layer types."""

from __future__ import annotations

from ._latent import UNREAD
from ._llama_like import llama_like
from ._moe import dense_and_sparse, predicted
from ._rows import causal_heads
from .deepseek_v3 import (
    NAMED_OPTIONAL,
    V3_ALIASES,
    V3_DEFAULTS,
    V3_FIXED,
    V3_MIXTURE,
    V3_NAMES,
    V3_SPEC,
    named_layers,
)

GLM4_MOE_LITE = llama_like(
    "glm4_moe_lite",
    "Glm4MoeLite",
    defaults={
        **V3_DEFAULTS,
        "vocab_size": 154880,
        "hidden_size": 2048,
        "intermediate_size": 10240,
        "num_hidden_layers": 47,
        "num_attention_heads": 20,
        "max_position_embeddings": 202752,
        "rms_norm_eps": 1e-5,
        "q_lora_rank": 768,
        "qk_nope_head_dim": 192,
        "v_head_dim": 256,
        "moe_intermediate_size": 1536,
        "n_routed_experts": 64,
        "num_experts_per_tok": 4,
        "n_group": 1,
        "topk_group": 1,
        "routed_scaling_factor": 1.8,
        "num_nextn_predict_layers": 1,
    },
    optional={**NAMED_OPTIONAL, "num_nextn_predict_layers": int},
    fixed=V3_FIXED,
    aliases=V3_ALIASES,
    irrelevant=UNREAD,
    spec=V3_SPEC,
    layers=lambda values: dense_and_sparse(values, named_layers(values), V3_MIXTURE),
    names=V3_NAMES,
    unused=predicted,
    heads=causal_heads("Glm4MoeLite", tasks=()),
)

FAMILIES = (GLM4_MOE_LITE,)
