"""Dense decoders with latent attention: MiniCPM 3 (Hu et al., 2024, arXiv:2404.06395) and Youtu-LLM
(Tencent, 2025)."""

from __future__ import annotations

import math
from typing import Any

from ..family import Names
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values
from .llama import llama_like
from .rows import SEQUENCE, causal_heads

LATENT_ATTENTION: dict[str, Any] = {
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
LATENT_NAMES: Names = {
    "layers.{}.attention.query": "layers.{}.self_attn.q_proj",
    "layers.{}.attention.query_down": "layers.{}.self_attn.q_a_proj",
    "layers.{}.attention.query_norm": "layers.{}.self_attn.q_a_layernorm",
    "layers.{}.attention.query_up": "layers.{}.self_attn.q_b_proj",
    ("layers.{}.attention.kv_down", "layers.{}.attention.key_rope"): Layout(
        "layers.{}.self_attn.kv_a_proj_with_mqa"
    ),
    "layers.{}.attention.kv_norm": "layers.{}.self_attn.kv_a_layernorm",
    ("layers.{}.attention.key_up", "layers.{}.attention.value_up"): Layout(
        "layers.{}.self_attn.kv_b_proj", groups=Key("num_attention_heads")
    ),
}
WORKED_OUT = frozenset(["head_dim", "num_key_value_heads", "qk_head_dim"])
"""Keys that the library writes beside those of latent attention, and works out from them."""


def _scaled(values: Values) -> dict[str, Any]:
    narrow: int = values["dim_model_base"] or values["hidden_size"]
    return {
        "type": "language_model",
        "tied": values["tie_word_embeddings"],
        "scale": narrow / values["hidden_size"],
    }


def _by_depth(values: Values) -> float:
    depth: int = values["num_hidden_layers"]
    said: float | None = values["scale_depth"]
    return 1.0 if said is None else said / math.sqrt(depth)


MINICPM3 = llama_like(
    "minicpm3",
    "MiniCPM3",
    defaults={
        "vocab_size": 73448,
        "hidden_size": 2560,
        "intermediate_size": 6400,
        "num_hidden_layers": 62,
        "num_attention_heads": 40,
        "max_position_embeddings": 32768,
        "initializer_range": 0.1,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "q_lora_rank": 768,
        "kv_lora_rank": 256,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "scale_emb": 12,
        "scale_depth": 1.4,
        "dim_model_base": 256,
        "attention_bias": False,
        "mlp_bias": False,
    },
    optional={"q_lora_rank": int, "scale_depth": float, "dim_model_base": int},
    irrelevant=WORKED_OUT | {"pretraining_tp"},
    spec={
        "input": {"scale": Key("scale_emb")},
        "residual": {"scale": _by_depth},
        "attention": LATENT_ATTENTION,
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    names=LATENT_NAMES,
    heads=causal_heads("MiniCPM3", spec={"head": _scaled}, tasks=SEQUENCE),
)

YOUTU = llama_like(
    "youtu",
    "Youtu",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "max_position_embeddings": 131072,
        "initializer_range": 2.0 / (5.0 * 2048) ** 0.5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "tie_word_embeddings": True,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "rope_interleave": True,
        "attention_bias": False,
    },
    optional={"q_lora_rank": int},
    irrelevant=WORKED_OUT | {"embedding_initializer_range"},
    spec={
        "positions": lambda values: Rotary(interleaved=values["rope_interleave"], scores=True)(
            values
        ),
        "attention": LATENT_ATTENTION,
    },
    names=LATENT_NAMES,
    heads=causal_heads("Youtu", tasks=()),
)

FAMILIES = (MINICPM3, YOUTU)
