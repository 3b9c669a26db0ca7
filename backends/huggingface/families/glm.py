"""Decoders that rotate neighbouring columns: GLM-4 (2024, arXiv:2406.12793), ERNIE 4.5 (Baidu,
2025) and Helium (Kyutai, 2025)."""

from __future__ import annotations

from typing import Any

from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key
from .llama import llama_like
from .rows import TOKENS_TOO, causal_heads
from .stablelm import PROJECTED

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

ERNIE4_5 = llama_like(
    "ernie4_5",
    "Ernie4_5",
    defaults={
        "vocab_size": 103424,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 18,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "rope_theta": 500000.0,
        "use_bias": False,
    },
    spec={"bias": Key("use_bias"), "positions": Rotary(interleaved=True)},
    heads=causal_heads("Ernie4_5", tasks=()),
)

HELIUM = llama_like(
    "helium",
    "Helium",
    defaults={
        "vocab_size": 48000,
        "hidden_size": 2560,
        "intermediate_size": 7040,
        "num_hidden_layers": 24,
        "num_attention_heads": 20,
        "head_dim": 128,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-8,
        "pad_token_id": 3,
        "rope_theta": 100000.0,
        "attention_bias": False,
        "mlp_bias": False,
    },
    spec={
        "positions": Rotary(interleaved=True),
        "attention": {"bias": IfSet("attention_bias", PROJECTED)},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads=causal_heads("Helium", tasks=TOKENS_TOO),
)

FAMILIES = (GLM, GLM4, ERNIE4_5, HELIUM)
