"""Phi-4 multimodal (Abouelenin et al., 2025, arXiv:2503.01743), text only."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ._llama_like import UNUSED
from ._rows import causal_heads
from .phi3 import PHI3

PHI4_MULTIMODAL = replace(
    PHI3,
    model_type="phi4_multimodal",
    reads=keys(PHI3.reads, "num_key_value_heads"),
    irrelevant=PHI3.irrelevant
    | {"audio_config", "audio_processor", "embd_layer", "img_processor", "speech_lora"}
    | {"vision_config", "vision_lora"},
    unused=(*UNUSED, r"embed_tokens_extend\..*"),
    heads={
        name: replace(head, partial=True)
        for name, head in causal_heads("Phi4Multimodal", tasks=()).items()
    },
    note="Text only: images and audio are not supported",
)

FAMILIES = (PHI4_MULTIMODAL,)
