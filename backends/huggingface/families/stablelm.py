"""StableLM 2 (Bellagente et al., 2024, arXiv:2402.17834)."""

from __future__ import annotations

from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key
from ._llama_like import LAYER_NORM, PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

STABLELM = llama_like(
    "stablelm",
    "StableLm",
    defaults={
        "vocab_size": 50304,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_key_value_heads": 32,
        "max_position_embeddings": 4096,
        "layer_norm_eps": 1e-5,
        "hidden_dropout": 0.0,
        "qk_layernorm": False,
        "use_parallel_residual": False,
        "use_qkv_bias": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
    without=["rms_norm_eps"],
    irrelevant=frozenset(["norm_eps", "rotary_scaling_factor"]),
    spec={
        "dropout": Key("hidden_dropout"),
        "input": {"dropout": 0},
        "norm": LAYER_NORM,
        "positions": Rotary(fraction=0.25),
        "residual": IfSet("use_parallel_residual", {"type": "parallel", "shared_norm": True}),
        "attention": {
            "bias": IfSet("use_qkv_bias", PROJECTED),
            "qk_norm": IfSet(
                "qk_layernorm", {"type": "per_head", "norm": {**LAYER_NORM, "bias": False}}
            ),
        },
    },
    names={
        "layers.{}.norm": "layers.{}.input_layernorm",
        "layers.{}.attention.query_norm": Layout("layers.{}.self_attn.q_layernorm.norms.{e}"),
        "layers.{}.attention.key_norm": Layout("layers.{}.self_attn.k_layernorm.norms.{e}"),
    },
    heads=causal_heads("StableLm", tasks=TOKENS_TOO),
)

FAMILIES = (STABLELM,)
