"""Fuyu (Adept, 2023), text only: Persimmon that also reads patches of images."""

from __future__ import annotations

from dataclasses import replace

from ._rows import causal_heads
from .persimmon import PERSIMMON

# Fuyu (Adept, 2023): Persimmon that reads patches of images among its tokens; here, the text alone
FUYU = replace(
    PERSIMMON,
    model_type="fuyu",
    inside="text_config",
    prefix="language_model.model.",
    unused=(r"vision_embed_tokens\..*",),
    heads=causal_heads("Fuyu", output="language_model.lm_head", tasks=()),
    note="The text alone: images are left out",
)

FAMILIES = (FUYU,)
