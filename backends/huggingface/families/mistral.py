"""Mistral (Jiang et al., 2023, arXiv:2310.06825): a sliding window in every layer."""

from __future__ import annotations

from ..defaults import keys
from ._llama_like import llama_like
from ._rows import ALL_TASKS, causal_heads, mask_of

MISTRAL = llama_like(
    "mistral",
    "Mistral",
    reads=keys("num_key_value_heads sliding_window"),
    optional={"sliding_window": int},
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    heads=causal_heads("Mistral", tasks=ALL_TASKS, answers="model."),
)

FAMILIES = (MISTRAL,)
