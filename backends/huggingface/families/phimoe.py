"""Phi-3.5-MoE (Abdin et al., 2024, arXiv:2404.14219)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key, RefusedError, Values
from ._llama_like import llama_like
from ._moe import TRAINED
from ._rows import SEQUENCE, causal_heads
from .mixtral import MIXTRAL_MIXTURE, MIXTRAL_NAMES, windowed


def _rotary(values: Values) -> dict[str, Any]:
    """Rotary positions; LongRoPE needs explicit `short_mscale` and `long_mscale`."""
    spec = Rotary()(values)
    if "scaling" in spec:
        parameters = Rotary().parameters(values)
        factors = {key: parameters.get(key) for key in ("short_mscale", "long_mscale")}
        if spec["scaling"]["type"] != "longrope" or None in factors.values():
            raise RefusedError(
                "phimoe supports only `longrope` with `short_mscale` and `long_mscale`"
            )
        spec["scaling"] |= factors
    return spec


PHIMOE = llama_like(
    "phimoe",
    "Phimoe",
    reads=keys(
        "num_key_value_heads attention_bias lm_head_bias num_local_experts",
        "num_experts_per_tok router_jitter_noise",
    ),
    optional={"sliding_window": int, "original_max_position_embeddings": int},
    fixed={"num_experts_per_tok": 2},  # the library's router supports only 2
    irrelevant=TRAINED | {"hidden_dropout", "input_jitter_noise"},
    spec={
        "norm": {"type": "layernorm", "eps": Key("rms_norm_eps")},
        "positions": _rotary,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {
            **MIXTRAL_MIXTURE,
            "router": {"score": "sparsemixer", "jitter": Key("router_jitter_noise")},
        },
    },
    layers=windowed,
    names=MIXTRAL_NAMES,
    heads=causal_heads(
        "Phimoe",
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": Key("lm_head_bias"),
            }
        },
        tasks=SEQUENCE,
    ),
)

FAMILIES = (PHIMOE,)
