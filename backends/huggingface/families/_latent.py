"""Rows shared by models with latent attention (MLA; DeepSeek-AI, 2024, arXiv:2405.04434)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Names
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values
from ._moe import TRAINED

_MODULES = {
    "query": "q_proj",
    "query_down": "q_a_proj",
    "query_norm": "q_a_layernorm",
    "query_up": "q_b_proj",
    "kv_norm": "kv_a_layernorm",
    "output": "o_proj",
}

LATENT_NAMES: Names = {
    **{
        f"layers.{{}}.attention.{ours}": f"layers.{{}}.self_attn.{theirs}"
        for ours, theirs in _MODULES.items()
    },
    ("layers.{}.attention.kv_down", "layers.{}.attention.key_rope"): Layout(
        "layers.{}.self_attn.kv_a_proj_with_mqa"
    ),
    ("layers.{}.attention.key_up", "layers.{}.attention.value_up"): Layout(
        "layers.{}.self_attn.kv_b_proj", groups=Key("num_attention_heads")
    ),
}

LATENT: dict[str, Any] = {
    "type": "mla",
    "heads": Key("num_attention_heads"),
    "query_rank": Key("q_lora_rank"),
    "kv_rank": Key("kv_lora_rank"),
    "nope_dim": Key("qk_nope_head_dim"),
    "rope_dim": Key("qk_rope_head_dim"),
    "value_dim": Key("v_head_dim"),
    "bias": Key("attention_bias"),
    "dropout": Key("attention_dropout"),
}

DIM_KEYS = keys(
    "q_lora_rank kv_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim attention_bias"
)

OPTIONAL: dict[str, type] = {"q_lora_rank": int}

UNREAD = TRAINED | {"pretraining_tp", "qk_head_dim"}


def latent_rotary(values: Values) -> dict[str, Any]:
    """Rotary positions that pair neighbouring features, unless `rope_interleave` is false."""
    return Rotary(interleaved=values["rope_interleave"], scores=True)(values)
