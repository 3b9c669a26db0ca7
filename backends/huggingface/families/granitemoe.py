"""Granite's mixtures of experts (IBM, 2024), with and without a shared expert."""

from __future__ import annotations

from ..defaults import keys
from ..family import Names
from ..layouts import Layout
from ..values import IfSet
from ._llama_like import llama_like
from ._moe import PART, TRAINED, fused_experts, glu, mixture, router
from ._rows import causal_heads
from .granite import DIVIDED, MULTIPLIED, MULTIPLIER_KEYS, swa_layers

_KEYS = keys(MULTIPLIER_KEYS, "num_local_experts num_experts_per_tok", without=["mlp_bias"])

_MIXTURE = mixture("intermediate_size", experts="num_local_experts")

_SPEC = {**MULTIPLIED, "feed_forward": _MIXTURE}

_NAMES: Names = {
    **router("block_sparse_moe.router.layer"),
    **fused_experts(
        "block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight"
    ),
}

GRANITEMOE = llama_like(
    "granitemoe",
    "GraniteMoe",
    reads=_KEYS,
    irrelevant=TRAINED,
    spec=_SPEC,
    names=_NAMES,
    heads=causal_heads("GraniteMoe", spec=DIVIDED, tasks=()),
)

_SHARED_SPEC = {
    **MULTIPLIED,
    "feed_forward": {
        **_MIXTURE,
        "shared_expert": IfSet("shared_intermediate_size", glu("shared_intermediate_size")),
    },
}

_SHARED: Names = {
    (f"{PART}.shared_expert.gate", f"{PART}.shared_expert.up"): Layout(
        "layers.{}.shared_mlp.input_linear"
    ),
    f"{PART}.shared_expert.down": "layers.{}.shared_mlp.output_linear",
}

GRANITEMOESHARED = llama_like(
    "granitemoeshared",
    "GraniteMoeShared",
    reads=keys(_KEYS, "shared_intermediate_size"),
    irrelevant=TRAINED,
    spec=_SHARED_SPEC,
    names={**_NAMES, **_SHARED},
    heads=causal_heads("GraniteMoeShared", spec=DIVIDED, tasks=()),
)

GRANITEMOE_SWA = llama_like(
    "granitemoe_swa",
    "GraniteMoeSWA",
    reads=keys(_KEYS, "shared_intermediate_size sliding_window"),
    optional={"layer_types": list, "layer_rope_theta": list, "sliding_window": int},
    irrelevant=TRAINED,
    spec={
        **_SHARED_SPEC,
        "positions": None,
        "attention": {**MULTIPLIED["attention"], "sinks": True},
    },
    layers=swa_layers,
    names={
        **router("block_sparse_moe.router"),
        **fused_experts(
            "block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj"
        ),
        **_SHARED,
        "layers.{}.attention.sinks": "layers.{}.self_attn.sinks",
    },
    heads=causal_heads("GraniteMoeSWA", spec=DIVIDED, tasks=()),
)

FAMILIES = (GRANITEMOE, GRANITEMOESHARED, GRANITEMOE_SWA)
