"""Latent attention: DeepSeek-V2 and V3 (2024, arXiv:2405.04434, arXiv:2412.19437), and what is
built as they are: GLM-4.7-Flash, A.X K1, Youtu-LLM and MiniCPM3."""

from __future__ import annotations

import math
from typing import Any

from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, RefusedError, Values
from .expert_rows import (
    EXPERTS,
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    predicted,
    selection_bias,
    several,
    shared,
    sigmoid_router,
    sparse_after,
)
from .llama import llama_like
from .rows import SEQUENCE, TOKENS_TOO, causal_heads

# -- attention

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
_DIMS: dict[str, Any] = {
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "attention_bias": False,
}
_OPTIONAL: dict[str, type] = {"q_lora_rank": int}
_UNREAD = TRAINED | {"pretraining_tp", "qk_head_dim"}


def _turned(values: Values) -> dict[str, Any]:
    """Neighbouring columns turn together, unless the config says otherwise."""
    return Rotary(interleaved=values["rope_interleave"], scores=True)(values)


# -- DeepSeek-V2


def _v2_router(values: Values) -> dict[str, Any]:
    method = values["topk_method"]
    said: dict[str, Any] = {"normalize": False, "scale": values["routed_scaling_factor"]}
    if method == "group_limited_greedy":
        said["groups"] = {"count": values["n_group"], "top_k": values["topk_group"]}
    elif method != "greedy":
        raise RefusedError(f"`topk_method: {method}` is not supported yet")
    return said


def _v2_layers(values: Values) -> list[Layer]:
    biased = {"bias": values["mlp_bias"]}
    wide = several("moe_intermediate_size", "n_shared_experts")(values)
    said = mixture(
        experts="n_routed_experts",
        router=_v2_router,
        shared_expert=wide and {**wide, **biased},
    )
    sparse = sparse_after(values["first_k_dense_replace"], values)
    return dense_and_sparse(values, sparse, said, biased=biased)


DEEPSEEK_V2 = llama_like(
    "deepseek_v2",
    "DeepseekV2",
    defaults={
        **_DIMS,
        "vocab_size": 102400,
        "mlp_bias": False,
        "first_k_dense_replace": 0,
        "moe_intermediate_size": 1407,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "routed_scaling_factor": 1.0,
        "topk_method": "greedy",
    },
    optional={
        **_OPTIONAL,
        "n_group": int,
        "topk_group": int,
        "num_experts_per_tok": int,
        "n_shared_experts": int,
    },
    fixed={"norm_topk_prob": False, "moe_layer_freq": 1, "scoring_func": "softmax"},
    aliases={"num_experts": "n_routed_experts"},
    irrelevant=_UNREAD,
    spec={
        "positions": Rotary(interleaved=True, scores=True),
        "attention": LATENT,
        "feed_forward": None,
    },
    layers=_v2_layers,
    names={**LATENT_NAMES, **EXPERTS, **shared("mlp.shared_experts")},
    heads=causal_heads("DeepseekV2", tasks=SEQUENCE),
)

# -- DeepSeek-V3 and later

V3_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=several("moe_intermediate_size", "n_shared_experts"),
)
_V3_DEFAULTS: dict[str, Any] = {
    **_DIMS,
    "vocab_size": 129280,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "max_position_embeddings": 4096,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "rope_interleave": True,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "n_group": 8,
    "topk_group": 4,
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
}
_V3_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}
V3_NAMES: Names = {
    **LATENT_NAMES,
    **EXPERTS,
    **selection_bias(),
    **shared("mlp.shared_experts"),
}
_V3_SPEC: dict[str, Any] = {"positions": _turned, "attention": LATENT, "feed_forward": None}
_V3_ALIASES = {"num_local_experts": "n_routed_experts"}


def _v3_layers(values: Values) -> list[Layer]:
    return dense_and_sparse(
        values, sparse_after(values["first_k_dense_replace"], values), V3_MIXTURE
    )


DEEPSEEK_V3 = llama_like(
    "deepseek_v3",
    "DeepseekV3",
    defaults={**_V3_DEFAULTS, "first_k_dense_replace": 3, "num_nextn_predict_layers": 1},
    optional={**_OPTIONAL, "num_nextn_predict_layers": int},
    fixed=_V3_FIXED,
    aliases=_V3_ALIASES | {"num_mtp_layers": "num_nextn_predict_layers"},
    irrelevant=_UNREAD,
    spec=_V3_SPEC,
    layers=_v3_layers,
    names=V3_NAMES,
    unused=predicted,
    heads=causal_heads("DeepseekV3", tasks=TOKENS_TOO),
)


def named_layers(values: Values) -> list[bool]:
    """As `mlp_layer_types` says; without it, dense are as many as older configs say, or one."""
    if values["mlp_layer_types"] is not None:
        return named_sparse(values)
    first = values["first_k_dense_replace"]
    return sparse_after(1 if first is None else first, values)


_NAMED_OPTIONAL = {**_OPTIONAL, "mlp_layer_types": list, "first_k_dense_replace": int}

GLM4_MOE_LITE = llama_like(
    "glm4_moe_lite",
    "Glm4MoeLite",
    defaults={
        **_V3_DEFAULTS,
        "vocab_size": 154880,
        "hidden_size": 2048,
        "intermediate_size": 10240,
        "num_hidden_layers": 47,
        "num_attention_heads": 20,
        "max_position_embeddings": 202752,
        "rms_norm_eps": 1e-5,
        "q_lora_rank": 768,
        "qk_nope_head_dim": 192,
        "v_head_dim": 256,
        "moe_intermediate_size": 1536,
        "n_routed_experts": 64,
        "num_experts_per_tok": 4,
        "n_group": 1,
        "topk_group": 1,
        "routed_scaling_factor": 1.8,
        "num_nextn_predict_layers": 1,
    },
    optional={**_NAMED_OPTIONAL, "num_nextn_predict_layers": int},
    fixed=_V3_FIXED,
    aliases=_V3_ALIASES,
    irrelevant=_UNREAD,
    spec=_V3_SPEC,
    layers=lambda values: dense_and_sparse(values, named_layers(values), V3_MIXTURE),
    names=V3_NAMES,
    unused=predicted,
    heads=causal_heads("Glm4MoeLite", tasks=()),
)


def _axk1_layers(values: Values) -> list[Layer]:
    """What a mixture says is normed again."""
    said = {**V3_MIXTURE, "norm_placement": "sandwich"}
    return dense_and_sparse(values, named_layers(values), said)


AXK1 = llama_like(
    "axk1",
    "AXK1",
    defaults={
        **_V3_DEFAULTS,
        "vocab_size": 163840,
        "num_attention_heads": 64,
        "max_position_embeddings": 32768,
        "bos_token_id": 163691,
        "eos_token_id": 163691,
        "n_routed_experts": 192,
    },
    optional=_NAMED_OPTIONAL,
    fixed=_V3_FIXED,
    aliases=_V3_ALIASES,
    irrelevant=_UNREAD,
    spec=_V3_SPEC,
    layers=_axk1_layers,
    names={
        **V3_NAMES,
        "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
    },
    heads=causal_heads("AXK1", tasks=TOKENS_TOO),
)

# -- dense

YOUTU = llama_like(
    "youtu",
    "Youtu",
    defaults={
        **_DIMS,
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "max_position_embeddings": 131072,
        "initializer_range": 2 / (5 * 2048) ** 0.5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "tie_word_embeddings": True,
        "rope_interleave": True,
    },
    optional=_OPTIONAL,
    irrelevant=_UNREAD | {"embedding_initializer_range", "mlp_bias"},
    spec={"positions": _turned, "attention": LATENT},
    names=LATENT_NAMES,
    heads=causal_heads("Youtu", tasks=()),
)


def _depth(values: Values) -> float:
    said = values["scale_depth"]
    return 1.0 if said is None else float(said / math.sqrt(values["num_hidden_layers"]))


def _width(values: Values) -> float:
    return float((values["dim_model_base"] or values["hidden_size"]) / values["hidden_size"])


MINICPM3 = llama_like(
    "minicpm3",
    "MiniCPM3",
    defaults={
        **_DIMS,
        "vocab_size": 73448,
        "hidden_size": 2560,
        "intermediate_size": 6400,
        "num_hidden_layers": 62,
        "num_attention_heads": 40,
        "max_position_embeddings": 32768,
        "initializer_range": 0.1,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "mlp_bias": False,
        "q_lora_rank": 768,
        "kv_lora_rank": 256,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "scale_emb": 12.0,
        "scale_depth": 1.4,
        "dim_model_base": 256,
    },
    optional={**_OPTIONAL, "scale_depth": float, "dim_model_base": int},
    irrelevant=_UNREAD,
    spec={
        "positions": Rotary(scores=True),
        "input": {"scale": Key("scale_emb")},
        "residual": {"scale": _depth},
        "attention": LATENT,
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    names=LATENT_NAMES,
    heads=causal_heads(
        "MiniCPM3",
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "input_scale": _width,
            }
        },
        tasks=SEQUENCE,
    ),
)

FAMILIES = (DEEPSEEK_V2, DEEPSEEK_V3, GLM4_MOE_LITE, AXK1, YOUTU, MINICPM3)
