"""HyperCLOVA X (Yoo et al., 2024, arXiv:2404.01954): multipliers like those of Granite."""

from __future__ import annotations

from ..defaults import keys
from ..values import IfSet
from ._llama_like import llama_like
from ._rows import causal_heads
from .granite import MULTIPLIED, MULTIPLIER_KEYS, scaled_head

HYPERCLOVAX = llama_like(
    "hyperclovax",
    "HyperCLOVAX",
    reads=keys(MULTIPLIER_KEYS, "head_dim use_post_norm"),
    spec={**MULTIPLIED, "norm_placement": IfSet("use_post_norm", "sandwich")},
    names={
        "layers.{}.attention_output_norm": "layers.{}.post_norm1",
        "layers.{}.feed_forward_output_norm": "layers.{}.post_norm2",
    },
    heads=causal_heads("HyperCLOVAX", spec=scaled_head(None), tasks=()),
)

FAMILIES = (HYPERCLOVAX,)
