"""FlauBERT (Le et al., 2019, arXiv:1912.05372): XLM for French."""

from __future__ import annotations

from .xlm import xlm_like

FLAUBERT = xlm_like("flaubert", "Flaubert", fixed={"pre_norm": False})

FAMILIES = (FLAUBERT,)
