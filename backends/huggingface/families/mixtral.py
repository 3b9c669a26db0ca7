"""Mixtral (Jiang et al., 2024, arXiv:2401.04088), Phi-3.5-MoE (2024, arXiv:2404.14219) and
MiniMax-M2 (2025): experts that are called w1, w2 and w3."""

from __future__ import annotations

from typing import Any

from ..family import Names
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, RefusedError, Values
from .expert_rows import TRAINED, mixture, router, selection_bias, separate
from .llama import QK_NORMS, llama_like
from .rows import ALL_TASKS, SEQUENCE, causal_heads, mask_of

_PLACE = "block_sparse_moe"
_NAMES: Names = {**router(f"{_PLACE}.gate"), **separate(f"{_PLACE}.experts", "w1", "w3", "w2")}
_MIXTURE = mixture("intermediate_size", experts="num_local_experts")


def _windowed(values: Values) -> list[Layer]:
    return [("block", {"mask": mask_of("sliding_attention", values)})]


MIXTRAL = llama_like(
    "mixtral",
    "Mixtral",
    defaults={
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 4096 * 32,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    optional={"sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED,
    spec={"feed_forward": _MIXTURE},
    layers=_windowed,
    names=_NAMES,
    heads=causal_heads("Mixtral", tasks=ALL_TASKS, answers="model."),
)


def _rotary(values: Values) -> dict[str, Any]:
    """Factors of cosine and sine for short and for long texts, which the config must say."""
    spec = Rotary()(values)
    if "scaling" in spec:
        said = Rotary().parameters(values)
        factors = {key: said.get(key) for key in ("short_mscale", "long_mscale")}
        if spec["scaling"]["type"] != "longrope" or None in factors.values():
            raise RefusedError("this rotary scaling of phimoe is not supported yet")
        spec["scaling"] |= factors
    return spec


PHIMOE = llama_like(
    "phimoe",
    "Phimoe",
    defaults={
        "vocab_size": 32064,
        "intermediate_size": 6400,
        "num_key_value_heads": 8,
        "max_position_embeddings": 4096 * 32,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "attention_bias": False,
        "lm_head_bias": False,
        "num_local_experts": 16,
        "num_experts_per_tok": 2,
        "router_jitter_noise": 0.01,
    },
    optional={"sliding_window": int, "original_max_position_embeddings": int},
    fixed={"num_experts_per_tok": 2},  # the library's router is made for two
    irrelevant=TRAINED | {"input_jitter_noise"},
    spec={
        "norm": {"type": "layernorm", "eps": Key("rms_norm_eps")},
        "positions": _rotary,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {
            **_MIXTURE,
            "router": {"score": "sparsemixer", "jitter": Key("router_jitter_noise")},
        },
    },
    layers=_windowed,
    names=_NAMES,
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


def _partial(values: Values) -> dict[str, Any]:
    """What is rotated of a head, which the first checkpoints say as a width."""
    said = values["rotary_dim"]
    fraction = 1.0 if said is None else said / values["head_dim"]
    return Rotary(fraction=fraction, partial=True)(values)


MINIMAX_M2 = llama_like(
    "minimax_m2",
    "MiniMaxM2",
    defaults={
        "vocab_size": 200064,
        "hidden_size": 3072,
        "intermediate_size": 1536,
        "num_hidden_layers": 62,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 196608,
        "bos_token_id": 200034,
        "eos_token_id": 200020,
        "rope_theta": 5e6,
        "num_local_experts": 256,
        "num_experts_per_tok": 8,
    },
    optional={"rotary_dim": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED,
    spec={
        "positions": _partial,
        "attention": {"qk_norm": "projection"},
        "feed_forward": {**_MIXTURE, "router": {"score": "sigmoid", "selection_bias": True}},
    },
    names={**_NAMES, **QK_NORMS, **selection_bias(f"{_PLACE}.e_score_correction_bias")},
    heads=causal_heads("MiniMaxM2", tasks=()),
)

FAMILIES = (MIXTRAL, PHIMOE, MINIMAX_M2)
