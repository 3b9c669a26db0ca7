"""Rows of encoders that are built as BERT is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..family import Family, Head, Names
from ..values import Key
from .bert import BERT_DEFAULTS, BERT_NAMES, BERT_OPTIONAL, BERT_SPEC
from .rows import changed, token

LAST: Mapping[str, Any] = {
    "init": {"type": "normal", "std": Key("initializer_range")},
    "tokens": {"pad": token("pad_token_id")},
}
UNUSED = (r"embeddings\.position_ids", r"embeddings\.token_type_ids")
CLASSES = Key("id2label", read=len)
DROPOUT = Key("classifier_dropout")


def masked_head(
    prefix: str,
    *,
    dense: str = "dense",
    norm: str = "layer_norm",
    decoder: str = "decoder",
    bias: str = "bias",
    table: str = "embeddings.word_embeddings",
    act: Any = None,
    width: Any = None,
    unused: Collection[str] = (),
) -> Head:
    """A head for masked tokens below `prefix`: a dense layer, a norm, and the table of tokens.

    width: of the dense layer, where the table is another one than that of the tokens
    """
    root = f"{prefix}." if prefix else ""
    return Head(
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": True,
                "transform": {"type": "dense", "width": width, "activation": act},
            }
        },
        names={
            "head.dense": root + dense,
            "head.norm": root + norm,
            "head.bias": root + bias,
            "head.output": root + decoder,
            "head.output.bias": root + bias,
        },
        untied={f"{root}{decoder}.weight": f"{table}.weight"},
        instead={root + bias: f"{root}{decoder}.bias"},
        unused=(r"pooler\.dense\..*", *unused),
    )


def token_heads(name: str, *, dropout: Any = DROPOUT, classifier: str = "classifier") -> Any:
    """Classes for every token, and the two ends of an answer."""
    pooler = (r"pooler\.dense\..*",)
    return {
        f"{name}ForTokenClassification": Head(
            spec={"head": {"type": "classifier", "classes": CLASSES, "dropout": dropout}},
            names={"head.output": classifier},
            unused=pooler,
        ),
        f"{name}ForQuestionAnswering": Head(
            spec={"head": {"type": "classifier", "classes": 2, "dropout": 0}},
            names={"head.output": "qa_outputs"},
            unused=pooler,
        ),
    }


def pooled_model(names: Names | None = None) -> Head:
    """The bare model, whose pooler reads the first token."""
    return Head(
        spec={
            "head": {
                "type": "projection",
                "size": Key("hidden_size"),
                "pool": "first",
                "activation": "tanh",
            }
        },
        names=names or {"head.dense": "pooler.dense"},
        optional=True,
    )


def two_layers(name: str, act: str = "tanh", dropout: Any = DROPOUT) -> dict[str, Head]:
    """A classifier of two layers on the first token (RoBERTa's)."""
    head = {
        "type": "classifier",
        "classes": CLASSES,
        "pool": "first",
        "hidden": Key("hidden_size"),
        "activation": act,
        "dropout": dropout,
    }
    return {
        f"{name}ForSequenceClassification": Head(
            spec={"head": head},
            names={"head.dense": "classifier.dense", "head.output": "classifier.out_proj"},
        )
    }


def bert_like(
    model_type: str,
    *,
    prefix: str,
    heads: Mapping[str, Head],
    defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    without: Collection[str] = (),
    spec: Mapping[str, Any] = {},
    names: Mapping[Any, Any] = {},
    **more: Any,
) -> Family:
    """A family that differs from BERT in these rows.

    without: keys of config.json that BERT has and this family has not
    spec, names: what is other or more; None takes a row away
    """
    kept = {key: value for key, value in BERT_DEFAULTS.items() if key not in without}
    rows = {**BERT_NAMES, **names}
    return Family(
        model_type=model_type,
        defaults={**kept, **defaults},
        optional={**BERT_OPTIONAL, **optional},
        spec=changed(BERT_SPEC, spec),
        last=more.pop("last", LAST),
        names={ours: theirs for ours, theirs in rows.items() if theirs is not None},
        prefix=prefix,
        unused=(*UNUSED, *more.pop("unused", ())),
        heads=heads,
        **more,
    )
