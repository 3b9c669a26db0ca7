"""GLM-ASR (Z.ai, 2025), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .llama import LLAMA

GLM_ASR = text_of(
    LLAMA,
    "glmasr",
    "GlmAsr",
    {
        "vocab_size": 59264,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "eos_token_id": [59246, 59253, 59255],
        "tie_word_embeddings": True,
    },
)

FAMILIES = (GLM_ASR,)
