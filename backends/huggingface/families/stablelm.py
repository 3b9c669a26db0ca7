"""StableLM 2 (Bellagente et al., 2024, arXiv:2402.17834)."""

from __future__ import annotations

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key
from ._llama_like import LAYER_NORM, PROJECTED, llama_like
from ._rows import TOKENS_TOO, causal_heads

STABLELM = llama_like(
    "stablelm",
    "StableLm",
    reads=keys(
        "num_key_value_heads layer_norm_eps hidden_dropout qk_layernorm use_parallel_residual",
        "use_qkv_bias",
    ),
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
