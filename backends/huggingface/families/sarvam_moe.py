"""Sarvam-30B (Sarvam AI, 2026): GLM-4.5 with rotary positions of whole heads and fused queries."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ..family import Head
from ..layouts import Layout
from ..rotary import Rotary
from ._moe import selection_bias
from ._rows import QKV, causal_heads, changed
from .glm4_moe import GLM4_MOE

_ATTENTION = "layers.{}.attention"
_NAMES = GLM4_MOE.names
assert not callable(_NAMES)

SARVAM_MOE = replace(
    GLM4_MOE,
    model_type="sarvam_moe",
    reads=keys(GLM4_MOE.reads, "head_dim pad_token_id"),
    spec=changed(GLM4_MOE.spec, {"positions": Rotary(partial=True)}),
    names={
        **{ours: theirs for ours, theirs in _NAMES.items() if ours not in QKV},
        "token_embedding": "word_embeddings",
        QKV: Layout("layers.{}.attention.query_key_value"),
        f"{_ATTENTION}.output": "layers.{}.attention.dense",
        f"{_ATTENTION}.query_norm": "layers.{}.attention.query_layernorm",
        f"{_ATTENTION}.key_norm": "layers.{}.attention.key_layernorm",
        **selection_bias("mlp.gate.expert_bias"),
    },
    heads={
        **causal_heads("Glm4Moe", table="word_embeddings", tasks=()),
        "Glm4MoeModel": Head(names={"token_embedding": "embed_tokens"}),
    },
)

FAMILIES = (SARVAM_MOE,)
