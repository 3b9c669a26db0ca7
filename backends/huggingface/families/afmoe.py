"""Trinity (Arcee, 2025): windows, layers without positions, sigmoid router."""

from __future__ import annotations

from ..defaults import keys
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
    separate_experts,
    shared,
    sparse_after,
    wide_shared,
)
from ._rows import causal_heads, every, local_and_global

WINDOWED_OPTIONAL: dict[str, type] = {"layer_types": list, "sliding_window": int}

_AFMOE_MIXTURE = mixture(
    router={"score": "sigmoid", "selection_bias": True, "scale": Key("route_scale")},
    shared_expert=wide_shared("moe_intermediate_size", "num_shared_experts"),
)

_SANDWICH: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.attention_output_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.pre_mlp_layernorm",
    "layers.{}.feed_forward_output_norm": "layers.{}.post_mlp_layernorm",
}


def _afmoe_layers(values: Values) -> list[Layer]:
    """Only layers with windows have rotary positions."""
    others = local_and_global(
        every(values, values["global_attn_every_n_layers"]), local={"positions": Rotary()}
    )
    sparse = sparse_after(values["num_dense_layers"], values)
    return dense_and_sparse(values, sparse, _AFMOE_MIXTURE, others=others)


AFMOE = llama_like(
    "afmoe",
    "Afmoe",
    reads=keys(
        "head_dim attention_bias mup_enabled sliding_window global_attn_every_n_layers",
        "num_dense_layers moe_intermediate_size num_experts num_experts_per_tok",
        "num_shared_experts route_scale",
    ),
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
        **separate_experts("mlp.experts"),
        **selection_bias("mlp.expert_bias"),
        **shared("mlp.shared_experts"),
    },
    heads=causal_heads("Afmoe", tasks=()),
)

FAMILIES = (AFMOE,)
