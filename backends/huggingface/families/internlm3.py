"""InternLM 3 (2025): Llama under another name."""

from __future__ import annotations

from ..defaults import keys
from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

INTERNLM3 = llama_like(
    "internlm3",
    "Llama",
    reads=keys(BIAS_KEYS, "num_key_value_heads head_dim pad_token_id"),
    fixed={"qkv_bias": False, "bias": False},  # in published files
    spec=BIASED_SPEC,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("InternLM3", tasks=()),  # the name in published files
    },
)

FAMILIES = (INTERNLM3,)
