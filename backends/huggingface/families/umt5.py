"""UMT5 (Chung et al., 2023, arXiv:2304.09151): each layer has its own relative buckets."""

from __future__ import annotations

from .t5 import MULTILINGUAL, t5_like

UMT5 = t5_like(
    "umt5",
    "UMT5",
    {**MULTILINGUAL, "decoder_start_token_id": 0},
    share="layer",
    input_scale="1/sqrt_d_model",
)

FAMILIES = (UMT5,)
