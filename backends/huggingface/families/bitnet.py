"""BitNet b1.58 (Ma et al., 2025, arXiv:2504.12285), with unquantized weights."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._llama_like import llama_like
from ._rows import causal_heads

BITNET = llama_like(
    "bitnet",
    "BitNet",
    reads=keys("num_key_value_heads attention_bias"),
    spec={
        "attention": {"bias": Key("attention_bias"), "output_norm": True},
        "feed_forward": {"inner_norm": True},
    },
    names={
        "layers.{}.attention.output_norm": "layers.{}.self_attn.attn_sub_norm",
        "layers.{}.feed_forward.inner_norm": "layers.{}.mlp.ffn_sub_norm",
    },
    heads=causal_heads("BitNet", tasks=()),
)

FAMILIES = (BITNET,)
