"""The language model of Emu 3 (Wang et al., 2024, arXiv:2409.18869)."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

EMU3_TEXT = llama_like(
    "emu3_text_model",
    "Emu3",
    reads=keys("num_key_value_heads pad_token_id"),
    own_defaults=dict.fromkeys(BIAS_KEYS, False),
    spec={**BIASED_SPEC, "dropout": Key("attention_dropout"), "input": {"dropout": 0}},
    prefix="model.",
    heads=causal_heads("Emu3", tasks=(), names={"Model": "Emu3TextModel"}),
)

FAMILIES = (EMU3_TEXT,)
