"""AFM (Arcee, 2025): a Llama whose feed-forward is not gated (ReLU squared)."""

from __future__ import annotations

from ..values import Key
from ._llama_like import BIAS_KEYS, BIASED_SPEC, MLP, llama_like
from ._rows import ALL_TASKS, causal_heads

ARCEE = llama_like(
    "arcee",
    "Arcee",
    reads=BIAS_KEYS,
    spec={**BIASED_SPEC, "feed_forward": {**MLP, "bias": Key("mlp_bias")}},
    heads=causal_heads("Arcee", tasks=ALL_TASKS),
)

FAMILIES = (ARCEE,)
