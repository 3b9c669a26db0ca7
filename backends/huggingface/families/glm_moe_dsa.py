"""GLM-5 (Z.ai, 2026): a learned index chooses the keys, as in DeepSeek-V3.2."""

from __future__ import annotations

from ._rows import causal_heads
from .deepseek_v32 import with_key_index

GLM_MOE_DSA = with_key_index(
    "glm_moe_dsa",
    "GlmMoeDsa",
    {
        "vocab_size": 154880,
        "hidden_size": 6144,
        "intermediate_size": 12288,
        "num_hidden_layers": 78,
        "q_lora_rank": 2048,
        "v_head_dim": 256,
        "qk_nope_head_dim": 192,
        "n_routed_experts": 256,
        "n_group": 1,
        "topk_group": 1,
        "max_position_embeddings": 202752,
        "rms_norm_eps": 1e-5,
    },
    heads=causal_heads("GlmMoeDsa", tasks=()),
)

FAMILIES = (GLM_MOE_DSA,)
