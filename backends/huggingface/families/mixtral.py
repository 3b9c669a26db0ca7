"""Mixtral (Jiang et al., 2024, arXiv:2401.04088)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..values import Values
from ._llama_like import llama_like
from ._moe import TRAINED, mixture, router, separate_experts
from ._rows import ALL_TASKS, causal_heads, mask_of

MOE_PREFIX = "block_sparse_moe"

MIXTRAL_NAMES: Names = {
    **router(f"{MOE_PREFIX}.gate"),
    **separate_experts(f"{MOE_PREFIX}.experts", "w1", "w3", "w2"),
}

MIXTRAL_MIXTURE = mixture("intermediate_size", experts="num_local_experts")


def windowed(values: Values) -> list[Layer]:
    return [("block", {"mask": mask_of("sliding_attention", values)})]


MIXTRAL = llama_like(
    "mixtral",
    "Mixtral",
    reads=keys("num_key_value_heads num_local_experts num_experts_per_tok"),
    optional={"sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED,
    spec={"feed_forward": MIXTRAL_MIXTURE},
    layers=windowed,
    names=MIXTRAL_NAMES,
    heads=causal_heads("Mixtral", tasks=ALL_TASKS, answers="model."),
)

FAMILIES = (MIXTRAL,)
