"""Trinity (Arcee, 2025): windows, layers without positions, sigmoid router."""

from __future__ import annotations

from ..family import Names
from ..layers import Layer
from ..rotary import Rotary
from ..values import IfSet, Key, Values
from ._llama_like import PROJECTED, QK_NORMS, llama_like
from ._moe import (
    TRAINED,
    dense_and_sparse,
    mixture,
    router,
    selection_bias,
    separate,
    several,
    shared,
    sparse_after,
)
from ._rows import causal_heads, every, local_and_global

WINDOWED_OPTIONAL: dict[str, type] = {"layer_types": list, "sliding_window": int}

_AFMOE_MIXTURE = mixture(
    router={"score": "sigmoid", "selection_bias": True, "scale": Key("route_scale")},
    shared_expert=several("moe_intermediate_size", "num_shared_experts"),
)

_SANDWICH: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.attention_output_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.pre_mlp_layernorm",
    "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
}


def _afmoe_layers(values: Values) -> list[Layer]:
    """Only layers with windows have positions."""
    others = local_and_global(
        every(values, values["global_attn_every_n_layers"]), local={"positions": Rotary()}
    )
    sparse = sparse_after(values["num_dense_layers"], values)
    return dense_and_sparse(values, sparse, _AFMOE_MIXTURE, others=others)


AFMOE = llama_like(
    "afmoe",
    "Afmoe",
    defaults={
        "vocab_size": 200192,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "head_dim": 128,
        "max_position_embeddings": 16384,
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": False,
        "mup_enabled": False,
        "sliding_window": 1024,
        "global_attn_every_n_layers": 4,
        "num_dense_layers": 1,
        "moe_intermediate_size": 1408,
        "num_experts": 64,
        "num_experts_per_tok": 6,
        "num_shared_experts": 2,
        "route_scale": 1.0,
    },
    optional=WINDOWED_OPTIONAL,
    fixed={
        "n_group": 1,
        "topk_group": 1,
        "num_expert_groups": 1,
        "num_limited_groups": 1,
        "route_norm": True,
        "score_func": "sigmoid",
    },
    irrelevant=TRAINED | {"load_balance_coeff", "use_grouped_mm"},
    spec={
        "norm_placement": "sandwich",
        "input": {"scale": IfSet("mup_enabled", "sqrt_d_model")},
        "positions": None,
        "attention": {
            "bias": IfSet("attention_bias", [*PROJECTED, "output"]),
            "qk_norm": "head",
            "output_gate": "elementwise",
        },
        "feed_forward": None,
    },
    layers=_afmoe_layers,
    names={
        **_SANDWICH,
        **QK_NORMS,
        "layers.{}.attention.output_gate": "layers.{}.self_attn.gate_proj",
        **router("mlp.router.gate"),
        **separate("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_experts"),
    },
    heads=causal_heads("Afmoe", tasks=()),
)

FAMILIES = (AFMOE,)
