"""VaultGemma (Google, 2025, arXiv:2510.15001): Gemma 2 without output norms."""

from __future__ import annotations

from ._llama_like import llama_like
from ._rows import causal_heads
from .gemma import CAPPED, KEYS_2, NEVER_READ, OPTIONAL_2, SPEC_2, alternating

VAULTGEMMA = llama_like(
    "vaultgemma",
    "VaultGemma",
    reads=KEYS_2,
    optional=OPTIONAL_2,
    without=["hidden_act"],
    irrelevant=NEVER_READ,
    spec=SPEC_2,
    layers=alternating,
    names={"layers.{}.feed_forward_norm": "layers.{}.pre_feedforward_layernorm"},
    heads=causal_heads("VaultGemma", spec=CAPPED, tasks=()),
)

FAMILIES = (VAULTGEMMA,)
