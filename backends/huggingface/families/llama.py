"""Llama 1 to 3 (Touvron et al., 2023, arXiv:2302.13971)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..values import Key
from ._llama_like import KEYS, NAMES, OPTIONAL, SPEC, UNUSED
from ._rows import ALL_TASKS, LAST, causal_heads

LLAMA = Family(
    model_type="llama",
    reads=keys(KEYS, "attention_bias mlp_bias"),
    optional=OPTIONAL,
    irrelevant=frozenset(["pretraining_tp", "use_flash_attn"]),
    spec={
        **SPEC,
        "attention": {**SPEC["attention"], "bias": Key("attention_bias")},
        "feed_forward": {**SPEC["feed_forward"], "bias": Key("mlp_bias")},
    },
    last=LAST,
    names=NAMES,
    prefix="model.",
    unused=UNUSED,
    heads=causal_heads("Llama", tasks=ALL_TASKS),
)

FAMILIES = (LLAMA,)
