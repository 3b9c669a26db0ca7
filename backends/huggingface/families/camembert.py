"""CamemBERT (Martin et al., 2019, arXiv:1911.03894): RoBERTa for French."""

from __future__ import annotations

from ._as_decoder import with_decoder_class
from .roberta import roberta_like

CAMEMBERT = roberta_like("camembert", "Camembert")

FAMILIES = (with_decoder_class(CAMEMBERT, "CamembertForCausalLM"),)
