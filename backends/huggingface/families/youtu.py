"""Youtu-LLM (Tencent, 2025): latent attention, dense feed-forwards."""

from __future__ import annotations

from ._latent import DIMS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD, turned
from ._llama_like import llama_like
from ._rows import causal_heads

YOUTU = llama_like(
    "youtu",
    "Youtu",
    defaults={
        **DIMS,
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "max_position_embeddings": 131072,
        "initializer_range": 2 / (5 * 2048) ** 0.5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "tie_word_embeddings": True,
        "rope_interleave": True,
    },
    optional=OPTIONAL,
    irrelevant=UNREAD | {"embedding_initializer_range", "mlp_bias"},
    spec={"positions": turned, "attention": LATENT},
    names=LATENT_NAMES,
    heads=causal_heads("Youtu", tasks=()),
)

FAMILIES = (YOUTU,)
