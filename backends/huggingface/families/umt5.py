"""UMT5 (Chung et al., 2023, arXiv:2304.09151): each layer has its own relative buckets."""

from __future__ import annotations

from ..defaults import keys
from .t5 import SCALED, t5_like

UMT5 = t5_like(
    "umt5",
    "UMT5",
    reads=keys("decoder_start_token_id"),
    share="layer",
    input_scale=SCALED,
)

FAMILIES = (UMT5,)
