"""mT5 (Xue et al., 2020, arXiv:2010.11934)."""

from __future__ import annotations

from .t5 import MULTILINGUAL, t5_like

MT5 = t5_like("mt5", "MT5", {**MULTILINGUAL, "decoder_start_token_id": 0})

FAMILIES = (MT5,)
