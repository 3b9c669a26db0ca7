"""Qwen 2 (Yang et al., 2024, arXiv:2407.10671): biases on queries, keys and values."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import Values
from ._llama_like import llama_like
from ._rows import ALL_TASKS, causal_heads, local_and_global


def qwen_layers(values: Values) -> list[Layer]:
    """Layers from `max_window_layers` on have a window, if `use_sliding_window` is true."""
    types = values["layer_types"]
    if types is None:
        switch = values["sliding_window"] is not None and values["use_sliding_window"]
        first = values["max_window_layers"] if switch else values["num_hidden_layers"]
        types = [
            "sliding_attention" if index >= first else "full_attention"
            for index in range(values["num_hidden_layers"])
        ]
    window = values["sliding_window"] if values["use_sliding_window"] else None
    return local_and_global({**values, "layer_types": types, "sliding_window": window})


QWEN_KEYS = keys("num_key_value_heads use_sliding_window sliding_window max_window_layers")

QWEN_OPTIONAL = {"sliding_window": int, "layer_types": list}

QWEN2 = llama_like(
    "qwen2",
    "Qwen2",
    reads=QWEN_KEYS,
    optional=QWEN_OPTIONAL,
    irrelevant=frozenset(["dual_chunk_attention_config"]),  # of vLLM; the library attends in full
    spec={"attention": {"bias": ["query", "key", "value"]}},
    layers=qwen_layers,
    heads=causal_heads("Qwen2", tasks=ALL_TASKS),
)

FAMILIES = (QWEN2,)
