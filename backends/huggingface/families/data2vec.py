"""data2vec (Baevski et al., 2022, arXiv:2202.03555): RoBERTa for text, BEiT for images."""

from __future__ import annotations

from ._as_decoder import with_decoder_class
from .beit import beit_like
from .roberta import roberta_like

DATA2VEC_VISION = beit_like("data2vec-vision", "Data2VecVision")

DATA2VEC_TEXT = roberta_like("data2vec-text", "Data2VecText", "data2vec_text.")

FAMILIES = (
    DATA2VEC_VISION,
    with_decoder_class(DATA2VEC_TEXT, "Data2VecTextForCausalLM"),
)
