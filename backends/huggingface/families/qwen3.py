"""Qwen 3 (Yang et al., 2025, arXiv:2505.09388): norms on queries and keys, no biases."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._llama_like import QK_NORMS, llama_like
from ._rows import ALL_TASKS, causal_heads
from .qwen2 import QWEN_KEYS, QWEN_OPTIONAL, qwen_layers

QWEN3 = llama_like(
    "qwen3",
    "Qwen3",
    reads=keys(QWEN_KEYS, "attention_bias head_dim"),
    optional=QWEN_OPTIONAL,
    spec={"attention": {"bias": Key("attention_bias"), "qk_norm": "head"}},
    names=QK_NORMS,
    layers=qwen_layers,
    heads=causal_heads("Qwen3", tasks=ALL_TASKS),
)

FAMILIES = (QWEN3,)
