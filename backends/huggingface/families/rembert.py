"""RemBERT (Chung et al., 2020, arXiv:2010.12821): narrow input table, wide output table."""

from __future__ import annotations

from ..family import Head
from ..values import Key, Values
from ._bert_like import bert_like, narrow, pooled_model, token_heads
from ._tasks import choices, pooled


def narrow_input(values: Values) -> int | None:
    """The width of RemBERT's table of tokens."""
    return narrow({**values, "embedding_size": values["input_embedding_size"]})


REMBERT = bert_like(
    "rembert",
    prefix="rembert.",
    heads={
        "RemBertForMaskedLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "bias": True,
                    "transform": {"type": "dense", "width": Key("output_embedding_size")},
                }
            },
            names={
                "head.dense": "cls.predictions.dense",
                "head.norm": "cls.predictions.LayerNorm",
                "head.output": "cls.predictions.decoder",
            },
            unused=(r"pooler\.dense\..*",),
        ),
        "RemBertModel": pooled_model(),
        "RemBertForSequenceClassification": pooled(dropout=Key("classifier_dropout_prob")),
        **choices("RemBert", dropout=Key("classifier_dropout_prob")),
        **token_heads("RemBert", dropout=Key("classifier_dropout_prob")),
    },
    defaults={
        "vocab_size": 250300,
        "hidden_size": 1152,
        "num_hidden_layers": 32,
        "num_attention_heads": 18,
        "input_embedding_size": 256,
        "output_embedding_size": 1664,
        "intermediate_size": 4608,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
        "tie_word_embeddings": False,
    },
    spec={"input": {"width": narrow_input}},
    names={"embedding_projection": "encoder.embedding_hidden_mapping_in"},
)

FAMILIES = (REMBERT,)
