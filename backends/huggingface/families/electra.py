"""ELECTRA (Clark et al., 2020, arXiv:2003.10555): BERT with a narrow token table."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Key, activation
from ._as_decoder import with_decoder_class
from ._bert_like import bert_like, masked_head, narrow, narrow_head, token_heads, two_layers
from ._tasks import choices

_ELECTRA_CLASSES = two_layers("Electra", act="gelu")

# Was each token replaced? The library returns (B, T), without an axis for the single score.
_DISCRIMINATOR = Head(
    spec={
        "head": {
            "type": "classifier",
            "classes": 1,
            "hidden": Key("hidden_size"),
            "activation": activation("hidden_act"),
            "dropout": 0,
        }
    },
    names={
        "head.dense": "discriminator_predictions.dense",
        "head.output": "discriminator_predictions.dense_prediction",
    },
)

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
        **choices(
            "Electra",
            dense="sequence_summary.summary",
            act="gelu",
            dropout=Key("summary_last_dropout"),
            fixed={
                "summary_type": "first",
                "summary_use_proj": True,
                "summary_activation": "gelu",
            },
        ),
        "ElectraForPreTraining": _DISCRIMINATOR,
        **token_heads("Electra"),
    },
    reads=keys("embedding_size summary_last_dropout"),
    irrelevant=frozenset(["summary_activation", "summary_type", "summary_use_proj"]),
    spec={"input": {"width": narrow}},
    names={"embedding_projection": "embeddings_project"},
)

FAMILIES = (with_decoder_class(ELECTRA, "ElectraForCausalLM"),)
