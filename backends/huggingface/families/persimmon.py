"""Persimmon (Adept, 2023)."""

from __future__ import annotations

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key
from ._llama_like import LAYER_NORM, MLP, llama_like
from ._rows import QKV, TOKENS_TOO, causal_heads

PERSIMMON = llama_like(
    "persimmon",
    "Persimmon",
    reads=keys("layer_norm_eps hidden_dropout qk_layernorm"),
    without=["rms_norm_eps"],
    spec={
        "bias": True,
        "dropout": Key("hidden_dropout"),
        "input": {"dropout": 0},
        "norm": LAYER_NORM,
        "positions": Rotary(fraction=0.5),
        "attention": {"qk_norm": IfSet("qk_layernorm", "head")},
        "feed_forward": MLP,
    },
    names={
        "norm": "final_layernorm",
        QKV: Layout("layers.{}.self_attn.query_key_value", groups=Key("num_attention_heads")),
        "layers.{}.attention.output": "layers.{}.self_attn.dense",
        "layers.{}.attention.query_norm": "layers.{}.self_attn.q_layernorm",
        "layers.{}.attention.key_norm": "layers.{}.self_attn.k_layernorm",
        "layers.{}.feed_forward.up": "layers.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "layers.{}.mlp.dense_4h_to_h",
    },
    heads=causal_heads("Persimmon", tasks=TOKENS_TOO),
)

FAMILIES = (PERSIMMON,)
