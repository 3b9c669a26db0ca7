"""HyperCLOVA X (2024, arXiv:2404.01954): multipliers like those of Granite."""

from __future__ import annotations

from ..values import IfSet
from ._llama_like import llama_like
from ._rows import causal_heads
from .granite import MULTIPLIED, MULTIPLIERS, scaled_head

HYPERCLOVAX = llama_like(
    "hyperclovax",
    "HyperCLOVAX",
    defaults={
        **MULTIPLIERS,
        "head_dim": 128,
        "attention_multiplier": 128**-0.5,
        "use_post_norm": True,
    },
    spec={**MULTIPLIED, "norm_placement": IfSet("use_post_norm", "sandwich")},
    names={
        "layers.{}.attention_output_norm": "layers.{}.post_norm1",
        "layers.{}.feed_forward_output_norm": "layers.{}.post_norm2",
    },
    heads=causal_heads("HyperCLOVAX", spec=scaled_head(None), tasks=()),
)

FAMILIES = (HYPERCLOVAX,)
