"""Fuyu (Adept, 2023), text only: Persimmon with image patches."""

from __future__ import annotations

from dataclasses import replace

from ._rows import causal_heads
from .persimmon import PERSIMMON

FUYU = replace(
    PERSIMMON,
    model_type="fuyu",
    inside="text_config",
    prefix="language_model.model.",
    unused=(r"vision_embed_tokens\..*",),
    heads=causal_heads("Fuyu", output="language_model.lm_head", tasks=()),
    note="Text only: images are not supported",
)

FAMILIES = (FUYU,)
