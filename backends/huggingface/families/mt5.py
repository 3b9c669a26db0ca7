"""mT5 (Xue et al., 2020, arXiv:2010.11934)."""

from __future__ import annotations

from ..defaults import keys
from .t5 import t5_like

MT5 = t5_like("mt5", "MT5", reads=keys("decoder_start_token_id"))

FAMILIES = (MT5,)
