"""BitNet b1.58 (Ma et al., 2025, arXiv:2504.12285), with unquantized weights."""

from __future__ import annotations

from ..values import Key
from ._llama_like import llama_like
from ._rows import causal_heads

BITNET = llama_like(
    "bitnet",
    "BitNet",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_hidden_layers": 30,
        "num_attention_heads": 20,
        "num_key_value_heads": 5,
        "hidden_act": "relu2",
        "rms_norm_eps": 1e-5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "rope_theta": 500000.0,
        "attention_bias": False,
    },
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
