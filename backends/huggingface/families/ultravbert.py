"""UltraVBERT, text only."""

from __future__ import annotations

from dataclasses import replace

from ..family import Head
from ._tasks import scored
from .modernbert import POOLING
from .ultrabert import ULTRABERT, masked_words

ULTRAVBERT = replace(
    ULTRABERT,
    model_type="ultravbert",
    fixed={"model_type": "ultrabert"},
    inside="text_config",
    prefix="model.text_model.",
    unused=(r"model\.(vision_model|connector)\..*",),
    heads={
        "UltraVBertForMaskedLM": masked_words("head.decoder", partial=True),
        "UltraVBertModel": Head(
            prefix="text_model.", unused=(r"(vision_model|connector)\..*",), partial=True
        ),
        "UltraVBertForSequenceClassification": scored(pool=POOLING, partial=True),
        "UltraVBertForTokenClassification": scored(partial=True),
    },
    note="Text only: images are not supported",
)

FAMILIES = (ULTRAVBERT,)
