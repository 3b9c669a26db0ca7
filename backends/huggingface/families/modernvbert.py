"""ModernVBERT (Teiletche et al., 2025, arXiv:2510.01149), text only."""

from __future__ import annotations

from dataclasses import replace

from ..family import Head
from .modernbert import MODERNBERT, masked_words, scores

MODERNVBERT = replace(
    MODERNBERT,
    model_type="modernvbert",
    reads=MODERNBERT.reads,
    inside="text_config",
    prefix="model.text_model.",
    unused=(r"model\.(vision_model|connector)\..*",),
    heads={
        "ModernVBertForMaskedLM": masked_words("projection_head", "lm_head", partial=True),
        "ModernVBertModel": Head(
            prefix="text_model.", unused=(r"(vision_model|connector)\..*",), partial=True
        ),
        "ModernVBertForSequenceClassification": scores("head", "classifier", partial=True),
        "ModernVBertForTokenClassification": scores(
            "head", "classifier", pool="none", partial=True
        ),
    },
    note="Text only: images are not supported",
)

FAMILIES = (MODERNVBERT,)
