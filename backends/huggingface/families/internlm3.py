"""InternLM 3 (2025): Llama under another name."""

from __future__ import annotations

from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

INTERNLM3 = llama_like(
    "internlm3",
    "Llama",
    defaults={
        **BIAS_KEYS,
        "vocab_size": 128512,
        "intermediate_size": 10240,
        "num_hidden_layers": 48,
        "num_key_value_heads": 2,
        "head_dim": 128,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 2,
    },
    fixed={"qkv_bias": False, "bias": False},  # of files of the hub
    spec=BIASED_SPEC,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("InternLM3", tasks=()),  # what files of the hub call it
    },
)

FAMILIES = (INTERNLM3,)
