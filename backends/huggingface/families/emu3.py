"""The language model of Emu 3 (Wang et al., 2024, arXiv:2409.18869): images are tokens too."""

from __future__ import annotations

from ..values import Key
from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import causal_heads

# The text of Emu 3 (Wang et al., 2024, arXiv:2409.18869), in which images are tokens too
EMU3_TEXT = llama_like(
    "emu3_text_model",
    "Emu3",
    defaults={
        **BIAS_KEYS,
        "vocab_size": 184622,
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 9216,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 151643,
        "bos_token_id": 151849,
        "eos_token_id": 151850,
        "rope_theta": 1_000_000.0,
        "attention_dropout": 0.1,
    },
    spec={**BIASED_SPEC, "dropout": Key("attention_dropout"), "input": {"dropout": 0}},
    prefix="model.",
    heads={"Emu3ForCausalLM": causal_heads("Emu3", tasks=())["Emu3ForCausalLM"]},
)

FAMILIES = (EMU3_TEXT,)
