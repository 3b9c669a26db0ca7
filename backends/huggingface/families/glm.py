"""GLM-4 (Team GLM, 2024, arXiv:2406.12793): interleaved rotary positions on half of each head."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet
from ._llama_like import PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

_KEYS = keys("num_key_value_heads head_dim pad_token_id attention_bias")

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
    reads=_KEYS,
    spec=_SPEC,
    names=_NAMES,
    heads=causal_heads("Glm", tasks=TOKENS_TOO),
)

GLM4 = llama_like(
    "glm4",
    "Glm4",
    reads=_KEYS,
    spec={**_SPEC, "norm_placement": "sandwich"},
    names={
        **_NAMES,
        "layers.{}.attention_output_norm": "layers.{}.post_self_attn_layernorm",
        "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
    },
    heads=causal_heads("Glm4", tasks=TOKENS_TOO),
)

FAMILIES = (GLM, GLM4)
