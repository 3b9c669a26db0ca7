"""ELECTRA (Clark et al., 2020, arXiv:2003.10555): BERT with a narrow token table."""

from __future__ import annotations

from ..family import Head
from ._bert_like import bert_like, masked_head, narrow, narrow_head, token_heads, two_layers

_ELECTRA_CLASSES = two_layers("Electra", act="gelu")

ELECTRA = bert_like(
    "electra",
    prefix="electra.",
    heads={
        "ElectraForMaskedLM": masked_head(
            "",
            dense="generator_predictions.dense",
            norm="generator_predictions.LayerNorm",
            decoder="generator_lm_head",
            bias="generator_lm_head.bias",
            act="gelu",
            width=narrow_head,
        ),
        "ElectraModel": Head(),
        **_ELECTRA_CLASSES,
        **token_heads("Electra"),
    },
    defaults={
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    irrelevant=frozenset(
        ["summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj"]
    ),
    spec={"input": {"width": narrow}},
    names={"embedding_projection": "embeddings_project"},
)

FAMILIES = (ELECTRA,)
