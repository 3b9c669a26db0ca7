"""IQuest Coder (2026): Llama under another name."""

from __future__ import annotations

from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

IQUESTCODER = llama_like(
    "iquestcoder",
    "Llama",
    defaults={
        **BIAS_KEYS,
        "vocab_size": 76800,
        "hidden_size": 5120,
        "intermediate_size": 27648,
        "num_hidden_layers": 80,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
    },
    fixed={"clip_qkv": None, "use_sliding_window": False},
    irrelevant=frozenset(["sliding_window", "max_window_layers"]),
    spec=BIASED_SPEC,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("IQuestCoder", tasks=()),
    },
)

FAMILIES = (IQUESTCODER,)
