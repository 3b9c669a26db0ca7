"""Ordinary attention with DeepSeek-V3's experts: GLM-4.5 (2025, arXiv:2508.06471), dots.llm1
(2025, arXiv:2506.05767), EXAONE MoE, Hunyuan 3, Solar Open; ERNIE 4.5 and Mellum with others."""

from __future__ import annotations

from typing import Any

from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key, Values
from .expert_rows import (
    EXPERTS,
    PART,
    TRAINED,
    dense_and_sparse,
    glu,
    mixture,
    named_sparse,
    predicted,
    router,
    selection_bias,
    separate,
    several,
    shared,
    sigmoid_router,
    sparse_after,
)
from .llama import QK_NORMS, UNUSED, llama_like
from .rows import causal_heads, every, layer_types, local_and_global
from .stablelm import PROJECTED

_NAMES: Names = {**EXPERTS, **selection_bias(), **shared("mlp.shared_experts")}
_MTP = (*UNUSED, r"mtp\..*", r"mtp_.*")
_GROUPS: dict[str, Any] = {
    "n_group": 1,
    "topk_group": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.0,
}
_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}
_ALIASES = {"num_local_experts": "n_routed_experts"}
_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=several("moe_intermediate_size", "n_shared_experts"),
)


def _after_the_first(values: Values) -> list[Layer]:
    return dense_and_sparse(values, sparse_after(values["first_k_dense_replace"], values), _MIXTURE)


GLM4_MOE = llama_like(
    "glm4_moe",
    "Glm4Moe",
    defaults={
        **_GROUPS,
        "vocab_size": 151552,
        "intermediate_size": 10944,
        "num_hidden_layers": 46,
        "num_attention_heads": 96,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "use_qk_norm": False,
        "first_k_dense_replace": 1,
        "moe_intermediate_size": 1408,
        "n_routed_experts": 128,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "num_nextn_predict_layers": 1,
    },
    optional={"num_nextn_predict_layers": int},
    fixed=_FIXED,
    aliases=_ALIASES | {"num_mtp_layers": "num_nextn_predict_layers"},
    irrelevant=TRAINED,
    spec={
        "positions": Rotary(fraction=0.5),
        "attention": {
            "bias": IfSet("attention_bias", PROJECTED),
            "qk_norm": IfSet("use_qk_norm", "head"),
        },
        "feed_forward": None,
    },
    layers=_after_the_first,
    names={**_NAMES, **QK_NORMS},
    unused=predicted,
    heads=causal_heads("Glm4Moe", tasks=()),
)


def _dots_layers(values: Values) -> list[Layer]:
    """Windows begin at `max_window_layers`."""
    said = values["layer_types"]
    if said is None:
        first = values["max_window_layers"] if values["sliding_window"] else 10**9
        said = [
            "sliding_attention" if i >= first else "full_attention"
            for i in range(values["num_hidden_layers"])
        ]
    others = local_and_global({**values, "layer_types": said})
    sparse = sparse_after(values["first_k_dense_replace"], values)
    return dense_and_sparse(values, sparse, _MIXTURE, others=others)


DOTS1 = llama_like(
    "dots1",
    "Dots1",
    defaults={
        **_GROUPS,
        "vocab_size": 152064,
        "hidden_size": 4608,
        "intermediate_size": 10944,
        "num_hidden_layers": 62,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "norm_topk_prob": False,
        "first_k_dense_replace": 0,
        "moe_intermediate_size": 1408,
        "sliding_window": 4096,
        "max_window_layers": 62,
    },
    optional={
        "layer_types": list,
        "sliding_window": int,
        "n_routed_experts": int,
        "n_shared_experts": int,
        "num_experts_per_tok": int,
    },
    fixed=_FIXED,
    aliases=_ALIASES,
    irrelevant=TRAINED | {"use_sliding_window"},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_dots_layers,
    names={**_NAMES, **QK_NORMS},
    heads=causal_heads("Dots1", tasks=()),
)

SOLAR_OPEN = llama_like(
    "solar_open",
    "SolarOpen",
    defaults={
        **_GROUPS,
        "vocab_size": 196608,
        "num_hidden_layers": 48,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_theta": 1e6,
        "attention_bias": False,
        "moe_intermediate_size": 1280,
        "n_routed_experts": 128,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
    },
    without=["intermediate_size"],
    fixed={**_FIXED, "first_k_dense_replace": 0, "use_qk_norm": False},
    aliases=_ALIASES,
    irrelevant=TRAINED | {"intermediate_size"},
    spec={
        "positions": Rotary(partial=True),
        "attention": {"bias": IfSet("attention_bias", PROJECTED)},
        "feed_forward": _MIXTURE,
    },
    names=_NAMES,
    heads=causal_heads("SolarOpen", tasks=()),
)

# -- EXAONE MoE

_EXAONE_MIXTURE = mixture(
    router=sigmoid_router, shared_expert=several("moe_intermediate_size", "num_shared_experts")
)


def _exaone_layers(values: Values) -> list[Layer]:
    """Beside layers with windows, those that see everything have no positions."""
    if values["sliding_window"] is None:
        others = local_and_global(
            {**values, "layer_types": None}, **{"global": {"positions": Rotary()}}
        )
    else:
        others = local_and_global(
            every(values, values["sliding_window_pattern"]), local={"positions": Rotary()}
        )
    first = values["first_k_dense_replace"]
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(first, values)
    return dense_and_sparse(values, sparse, _EXAONE_MIXTURE, others=others)


EXAONE_MOE = llama_like(
    "exaone_moe",
    "ExaoneMoe",
    defaults={
        **_GROUPS,
        "vocab_size": 102400,
        "intermediate_size": 16384,
        "rms_norm_eps": 1e-5,
        "eos_token_id": 53,
        "pad_token_id": 0,
        "routed_scaling_factor": 2.5,
        "sliding_window": 4096,
        "sliding_window_pattern": 4,
        "first_k_dense_replace": 1,
        "moe_intermediate_size": 1024,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "num_shared_experts": 1,
    },
    optional={"layer_types": list, "mlp_layer_types": list, "sliding_window": int},
    fixed={"scoring_func": "sigmoid", "topk_method": "noaux_tc"},
    irrelevant=TRAINED | {"num_nextn_predict_layers"},
    spec={"positions": None, "attention": {"qk_norm": "head"}, "feed_forward": None},
    layers=_exaone_layers,
    names={**_NAMES, **QK_NORMS, **selection_bias("mlp.e_score_correction_bias")},
    unused=_MTP,
    heads=causal_heads("ExaoneMoe", tasks=()),
)

# -- Hunyuan 3


def _hy_layers(values: Values) -> list[Layer]:
    biased = {"bias": values["mlp_bias"]}
    wide = several("moe_intermediate_size", "num_shared_experts")(values)
    scale = values["router_scaling_factor"]
    said = mixture(
        router={"score": "sigmoid", "selection_bias": True, "scale": scale},
        shared_expert=wide and {**wide, **biased},
    )
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, said, biased=biased)


HY_V3 = llama_like(
    "hy_v3",
    "HYV3",
    defaults={
        "vocab_size": 120832,
        "intermediate_size": 13312,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "initializer_range": 0.006,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_theta": 11158840.0,
        "attention_bias": False,
        "mlp_bias": False,
        "num_experts": 192,
        "num_experts_per_tok": 8,
        "num_shared_experts": 1,
        "moe_intermediate_size": 1536,
        "router_scaling_factor": 2.826,
    },
    optional={"mlp_layer_types": list},
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED | {"enable_moe_fp32_combine"},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_hy_layers,
    names={
        **router("mlp.router.gate"),
        **separate("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_mlp"),
        **QK_NORMS,
    },
    unused=(*UNUSED, r"layers\.80\..*"),
    heads=causal_heads("HYV3", tasks=()),
)

# -- softmax routers

_ERNIE_MIXTURE = mixture(
    experts="moe_num_experts",
    top_k="moe_k",
    router={"selection_bias": True},
    shared_expert=several("moe_intermediate_size", "moe_num_shared_experts"),
)


def _ernie_layers(values: Values) -> list[Layer]:
    """Every so many layers of a range are sparse."""
    count, step = values["num_hidden_layers"], values["moe_layer_interval"]
    first, last = values["moe_layer_start_index"], values["moe_layer_end_index"]
    last = count - 1 if last == -1 else last
    sparse = [(i + 1) % step == 0 and first <= i <= last for i in range(count)]
    biased = {"bias": values["use_bias"]}
    shared_expert = several("moe_intermediate_size", "moe_num_shared_experts")(values)
    said = {**_ERNIE_MIXTURE, "shared_expert": shared_expert and {**shared_expert, **biased}}
    return dense_and_sparse(values, sparse, said, biased=biased)


ERNIE4_5_MOE = llama_like(
    "ernie4_5_moe",
    "Ernie4_5_Moe",
    defaults={
        "vocab_size": 103424,
        "hidden_size": 2560,
        "intermediate_size": 12288,
        "num_hidden_layers": 28,
        "num_attention_heads": 20,
        "num_key_value_heads": 4,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "rope_theta": 500000.0,
        "use_bias": False,
        "moe_intermediate_size": 1536,
        "moe_k": 6,
        "moe_num_experts": 64,
        "moe_num_shared_experts": 2,
        "moe_layer_start_index": 1,
        "moe_layer_end_index": 27,
        "moe_layer_interval": 1,
    },
    fixed={"moe_gate": "topk"},
    aliases={"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"},
    irrelevant=TRAINED
    | {"moe_capacity", "moe_norm_min", "moe_use_aux_free", "num_nextn_predict_layers"},
    spec={
        "positions": Rotary(interleaved=True),
        "attention": {"bias": Key("use_bias")},
        "feed_forward": None,
    },
    layers=_ernie_layers,
    names={
        **EXPERTS,
        f"{PART}.selection_bias": Layout(
            "layers.{}.mlp.moe_statics.e_score_correction_bias", stored=lambda _: (1, -1)
        ),
        **shared("mlp.shared_experts"),
    },
    unused=_MTP,
    heads=causal_heads(
        "Ernie4_5_Moe",
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": Key("use_bias"),
            }
        },
        tasks=(),
    ),
)

_MELLUM_ROPE = {
    "full_attention": {"rope_type": "default", "rope_theta": 500000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
_MELLUM_MIXTURE = mixture(experts="num_local_experts", router={"normalize": Key("norm_topk_prob")})


def _mellum_layers(values: Values) -> list[Layer]:
    values = {**values, "rope_parameters": values.get("rope_parameters") or _MELLUM_ROPE}
    others = [
        (kind, {**block, "positions": Rotary(layer_type=layer_type, partial=True)(values)})
        for (kind, block), layer_type in zip(
            local_and_global(values), layer_types(values), strict=True
        )
    ]
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(0, values)
    return dense_and_sparse(values, sparse, _MELLUM_MIXTURE, others=others)


MELLUM = llama_like(
    "mellum",
    "Mellum",
    defaults={
        "vocab_size": 98304,
        "hidden_size": 2304,
        "intermediate_size": 7168,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "sliding_window": 1024,
        "moe_intermediate_size": 896,
        "num_local_experts": 64,
        "num_experts_per_tok": 8,
        "norm_topk_prob": True,
    },
    optional={"layer_types": list, "mlp_layer_types": list, "sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED
    | {"num_nextn_predict_layers", "num_mtp_layers", "mtp_layer_types", "mtp_mlp_layer_types"},
    spec={
        "positions": None,
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_mellum_layers,
    names={**EXPERTS, **QK_NORMS},
    unused=_MTP,
    heads=causal_heads("Mellum", tasks=()),
)

# -- Kolibri 1: experts are compared by logits; windows rotate, as in EXAONE 4


def _kolibri_layers(values: Values) -> list[Layer]:
    turned = Rotary()
    return local_and_global(
        every(values, 5),
        local={"positions": turned},
        **{"global": {"positions": IfSet("sliding_window", "none", turned)}},
    )


KOLIBRI1 = llama_like(
    "kolibri1",
    "Kolibri1",
    defaults={
        "vocab_size": 128000,
        "hidden_size": 2560,
        "num_hidden_layers": 50,
        "num_attention_heads": 48,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        "sliding_window": 513,
        "bos_token_id": None,
        "eos_token_id": None,
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
        "num_experts_per_tok": 6,
        "num_local_experts": 384,
        "norm_topk_prob": False,
    },
    without=["intermediate_size"],
    optional={"layer_types": list, "sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED,
    spec={
        "positions": None,
        "norm_placement": "sandwich",
        "attention": {"qk_norm": "head"},
        "feed_forward": mixture(
            experts="num_local_experts",
            shared_expert=glu("shared_expert_intermediate_size"),
            router={
                "score": "sigmoid",
                "normalize": Key("norm_topk_prob"),
                "selection_bias": True,
                "choose_by": "logits",
            },
        ),
    },
    layers=_kolibri_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_experts"),
        **selection_bias("moe.router.expert_bias"),
        **QK_NORMS,
        "layers.{}.attention_output_norm": "layers.{}.post_attn_norm",
        "layers.{}.feed_forward_output_norm": "layers.{}.post_ffn_norm",
    },
    heads=causal_heads("Kolibri1", tasks=()),
)

# -- Laguna (Poolside, 2026): attention gated by a softplus, heads that differ by layer

_LAGUNA_ROPE = {
    "full_attention": {
        "rope_type": "default",
        "rope_theta": 500000.0,
        "partial_rotary_factor": 0.5,
    },
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
_LAGUNA_MIXTURE = mixture(
    shared_expert=glu("shared_expert_intermediate_size"),
    router={
        "score": "sigmoid",
        "selection_bias": True,
        "scale": Key("moe_routed_scaling_factor"),
    },
)


def _laguna_layers(values: Values) -> list[Layer]:
    values = {**values, "rope_parameters": values.get("rope_parameters") or _LAGUNA_ROPE}
    heads = values["num_attention_heads_per_layer"]
    heads = heads or [values["num_attention_heads"]] * values["num_hidden_layers"]
    gate = "headwise" if values["gating"] in (True, "per-head") else "elementwise"
    others: list[Layer] = []
    types = layer_types(values)
    for (kind, block), layer_type, count in zip(
        local_and_global(values), types, heads, strict=True
    ):
        positions = Rotary(layer_type=layer_type, partial=True)(values)
        attention = {"heads": count, "output_gate": gate}
        name = kind if len(set(heads)) == 1 else f"{kind}_{count}"
        others.append((name, {**block, "positions": positions, "attention": attention}))
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(1, values)
    return dense_and_sparse(values, sparse, _LAGUNA_MIXTURE, others=others)


LAGUNA = llama_like(
    "laguna",
    "Laguna",
    defaults={
        "vocab_size": 100352,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 40,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "bos_token_id": None,
        "eos_token_id": None,
        "sliding_window": 512,
        "attention_bias": False,
        "gating": True,
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
        "num_experts": 256,
        "num_experts_per_tok": 8,
        "moe_routed_scaling_factor": 1.0,
    },
    optional={
        "gating": object,
        "layer_types": list,
        "mlp_layer_types": list,
        "num_attention_heads_per_layer": list,
    },
    fixed={"moe_router_logit_softcapping": 0.0, "moe_apply_router_weight_on_input": False},
    irrelevant=TRAINED,
    spec={
        "positions": None,
        "attention": {
            "heads": None,
            "bias": Key("attention_bias"),
            "qk_norm": "head",
            "gate": "softplus",
        },
        "feed_forward": None,
    },
    layers=_laguna_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        **selection_bias("mlp.experts.e_score_correction_bias"),
        **QK_NORMS,
        "layers.{}.attention.output_gate": "layers.{}.self_attn.g_proj",
    },
    heads=causal_heads("Laguna", tasks=()),
)

FAMILIES = (KOLIBRI1, LAGUNA, GLM4_MOE, DOTS1, SOLAR_OPEN, EXAONE_MOE, HY_V3, ERNIE4_5_MOE, MELLUM)
