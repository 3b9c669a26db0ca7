"""RemBERT (Chung et al., 2020, arXiv:2010.12821): narrow input table, wide output table."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Key, Values
from ._as_decoder import with_decoder_class
from ._bert_like import bert_like, narrow, pooled_model, token_heads
from ._tasks import choices, pooled


def narrow_input(values: Values) -> int | None:
    """Width of the token embedding; None if it is d_model."""
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
    reads=keys("input_embedding_size output_embedding_size classifier_dropout_prob"),
    spec={"input": {"width": narrow_input}},
    names={"embedding_projection": "encoder.embedding_hidden_mapping_in"},
)

FAMILIES = (with_decoder_class(REMBERT, "RemBertForCausalLM"),)
