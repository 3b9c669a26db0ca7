"""Flint (2026): windows, attention sinks, layers without positions."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED, dense_and_sparse, glu, mixture, shared
from ._rows import causal_heads, local_and_global
from .qwen2_moe import qwen_sparse

_BIASED: dict[str, Any] = {"bias": Key("attention_bias"), "qk_norm": "head"}

_FLINT_MIXTURE = mixture(
    router={"score": "sigmoid", "normalize": Key("norm_topk_prob")},
    shared_expert=glu("shared_expert_intermediate_size"),
)


def _flint_layers(values: Values) -> list[Layer]:
    """Layers 0 and 1, every fourth and the last are full and have no positions."""
    if values["layer_types"] is None:
        count = values["num_hidden_layers"]
        everywhere = [i < 2 or i % 4 == 1 or i == count - 1 for i in range(count)]
        kinds = ["full_attention" if every else "sliding_attention" for every in everywhere]
        values = {**values, "layer_types": kinds}
    others = local_and_global(values, local={"positions": Rotary()})
    return dense_and_sparse(
        values, qwen_sparse(values, "num_experts"), _FLINT_MIXTURE, others=others
    )


FLINT = llama_like(
    "flint",
    "Flint",
    reads=keys(
        "num_key_value_heads head_dim attention_bias sliding_window decoder_sparse_step",
        "mlp_only_layers moe_intermediate_size shared_expert_intermediate_size num_experts",
        "num_experts_per_tok norm_topk_prob",
    ),
    optional={"layer_types": list},
    irrelevant=TRAINED,
    spec={
        "positions": None,
        "attention": {**_BIASED, "sinks": True},
        "feed_forward": None,
    },
    layers=_flint_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        **QK_NORMS,
        "layers.{}.attention.sinks": "layers.{}.self_attn.softmax_offset",
    },
    heads=causal_heads("Flint", tasks=()),
)

FAMILIES = (FLINT,)
