"""Encoder-only models of transformers, and the specs that should equal them."""

from __future__ import annotations

from .berts import ALBERT, BERT, BERT_PRETRAINING, DISTILBERT, ELECTRA, ROBERTA
from .relative import DEBERTA, DEBERTA_V2, DEBERTA_V2_OWN, MPNET, XLNET
from .windows import LONGFORMER, MODERNBERT

ENCODERS = (
    BERT,
    BERT_PRETRAINING,
    ROBERTA,
    ALBERT,
    ELECTRA,
    DISTILBERT,
    MPNET,
    DEBERTA,
    DEBERTA_V2,
    DEBERTA_V2_OWN,
    XLNET,
    LONGFORMER,
    MODERNBERT,
)

__all__ = ["ALBERT", "BERT", "BERT_PRETRAINING", "ENCODERS", "LONGFORMER", "MPNET", "ROBERTA"]
