"""Qwen 1.5 and 2 with experts (Yang et al., 2024, arXiv:2407.10671): a gated shared expert."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import IfSet, Key, Values
from ._llama_like import llama_like
from ._moe import EXPERTS, PART, TRAINED, dense_and_sparse, glu, mixture, shared
from ._rows import ALL_TASKS, causal_heads, local_and_global
from .qwen2 import QWEN_KEYS, QWEN_OPTIONAL

SPARSE_KEYS = keys("decoder_sparse_step mlp_only_layers norm_topk_prob")

NORMALIZED = {"normalize": Key("norm_topk_prob")}


def qwen_sparse(values: Values, experts: str) -> list[bool]:
    """Every `decoder_sparse_step`-th layer is sparse, except those in `mlp_only_layers`."""
    layers = range(values["num_hidden_layers"])
    step, dense = values["decoder_sparse_step"], values["mlp_only_layers"]
    return [i not in dense and values[experts] > 0 and (i + 1) % step == 0 for i in layers]


_QWEN2_MIXTURE = mixture(
    router=NORMALIZED, shared_expert=glu("shared_expert_intermediate_size"), shared_gate=True
)


def _qwen2_layers(values: Values) -> list[Layer]:
    """With `use_sliding_window`, every other layer before `max_window_layers` has a window."""
    types = values["layer_types"]
    if types is None:
        first = values["max_window_layers"] if values["use_sliding_window"] else 0
        types = [
            "full_attention" if i % 2 or i >= first else "sliding_attention"
            for i in range(values["num_hidden_layers"])
        ]
    others = local_and_global({**values, "layer_types": types})
    return dense_and_sparse(
        values, qwen_sparse(values, "num_experts"), _QWEN2_MIXTURE, others=others
    )


QWEN2_MOE = llama_like(
    "qwen2_moe",
    "Qwen2Moe",
    reads=keys(
        QWEN_KEYS,
        SPARSE_KEYS,
        "qkv_bias num_experts num_experts_per_tok moe_intermediate_size",
        "shared_expert_intermediate_size",
    ),
    optional=QWEN_OPTIONAL,
    irrelevant=TRAINED,
    spec={
        "attention": {"bias": IfSet("qkv_bias", ["query", "key", "value"])},
        "feed_forward": None,
    },
    layers=_qwen2_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        f"{PART}.shared_gate": "layers.{}.mlp.shared_expert_gate",
    },
    heads=causal_heads("Qwen2Moe", tasks=ALL_TASKS, answers="model."),
)

FAMILIES = (QWEN2_MOE,)
