"""CamemBERT (Martin et al., 2019, arXiv:1911.03894): RoBERTa for French."""

from __future__ import annotations

from .roberta import roberta_like

CAMEMBERT = roberta_like("camembert", "Camembert")

FAMILIES = (CAMEMBERT,)
