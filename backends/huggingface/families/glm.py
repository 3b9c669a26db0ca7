"""GLM-4 (2024, arXiv:2406.12793): interleaved rotary positions on half of each head."""

from __future__ import annotations

from typing import Any

from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet
from ._llama_like import PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

_DEFAULTS: dict[str, Any] = {
    "vocab_size": 151552,
    "intermediate_size": 13696,
    "num_hidden_layers": 40,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1.5625e-07,
    "pad_token_id": 151329,
    "bos_token_id": None,
    "eos_token_id": [151329, 151336, 151338],
    "attention_bias": True,
}

_SPEC: dict[str, Any] = {
    "positions": Rotary(fraction=0.5, interleaved=True),
    "attention": {"bias": IfSet("attention_bias", PROJECTED)},
}

_NAMES = {
    ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): Layout(
        "layers.{}.mlp.gate_up_proj"
    )
}

GLM = llama_like(
    "glm",
    "Glm",
    defaults=_DEFAULTS,
    spec=_SPEC,
    names=_NAMES,
    heads=causal_heads("Glm", tasks=TOKENS_TOO),
)

GLM4 = llama_like(
    "glm4",
    "Glm4",
    defaults=_DEFAULTS,
    spec={**_SPEC, "norm_placement": "sandwich"},
    names={
        **_NAMES,
        "layers.{}.attention_output_norm": "layers.{}.post_self_attn_layernorm",
        "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
    },
    heads=causal_heads("Glm4", tasks=TOKENS_TOO),
)

FAMILIES = (GLM, GLM4)
