"""IQuest Coder (2026): Llama under another name."""

from __future__ import annotations

from ..defaults import keys
from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

IQUESTCODER = llama_like(
    "iquestcoder",
    "Llama",
    reads=keys(BIAS_KEYS, "num_key_value_heads head_dim"),
    fixed={"clip_qkv": None, "use_sliding_window": False},
    irrelevant=frozenset(["sliding_window", "max_window_layers"]),
    spec=BIASED_SPEC,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("IQuestCoder", tasks=()),
    },
)

FAMILIES = (IQUESTCODER,)
