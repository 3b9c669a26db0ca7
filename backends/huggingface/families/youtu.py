"""Youtu-LLM (Tencent, 2025): latent attention, dense feed-forwards."""

from __future__ import annotations

from ..defaults import keys
from ._latent import DIM_KEYS, LATENT, LATENT_NAMES, OPTIONAL, UNREAD, latent_rotary
from ._llama_like import llama_like
from ._rows import causal_heads

YOUTU = llama_like(
    "youtu",
    "Youtu",
    reads=keys(DIM_KEYS, "rope_interleave"),
    optional=OPTIONAL,
    irrelevant=UNREAD | {"embedding_initializer_range", "mlp_bias"},
    spec={"positions": latent_rotary, "attention": LATENT},
    names=LATENT_NAMES,
    heads=causal_heads("Youtu", tasks=()),
)

FAMILIES = (YOUTU,)
