"""Megatron-BERT (Shoeybi et al., 2019, arXiv:1909.08053): pre-norm BERT."""

from __future__ import annotations

from ..values import Key
from ._as_decoder import with_decoder_class
from ._bert_like import PRE_NORM, bert_like, like_bert_heads, masked_and_next
from ._tasks import choices, next_sentence, pooled

MEGATRON_BERT = bert_like(
    "megatron-bert",
    prefix="bert.",
    heads={
        **like_bert_heads("MegatronBert"),
        "MegatronBertForSequenceClassification": pooled(dropout=Key("hidden_dropout_prob")),
        **choices("MegatronBert", dropout=Key("hidden_dropout_prob")),
        **next_sentence("MegatronBert", unused=[r"cls\.predictions\..*"]),
        **masked_and_next("MegatronBert"),
    },
    spec={**PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.ln",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.ln",
        "norm": "encoder.ln",
    },
)

FAMILIES = (with_decoder_class(MEGATRON_BERT, "MegatronBertForCausalLM"),)
