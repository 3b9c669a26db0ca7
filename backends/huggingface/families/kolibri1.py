"""Kolibri 1 (2026): experts chosen by logits, rotary positions only in layers with windows."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import IfSet, Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED, glu, mixture, selection_bias, shared
from ._rows import causal_heads, every, local_and_global


def _kolibri_layers(values: Values) -> list[Layer]:
    rotary = Rotary()
    return local_and_global(
        every(values, 5),
        local={"positions": rotary},
        **{"global": {"positions": IfSet("sliding_window", "none", rotary)}},
    )


KOLIBRI1 = llama_like(
    "kolibri1",
    "Kolibri1",
    reads=keys(
        "num_key_value_heads head_dim sliding_window moe_intermediate_size",
        "shared_expert_intermediate_size num_experts_per_tok num_local_experts norm_topk_prob",
    ),
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

FAMILIES = (KOLIBRI1,)
