"""Heads of the library's task classes, such as `…ForSequenceClassification`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..family import Head
from ..values import Key

CLASSES = Key("id2label", read=len)
DROPOUT = Key("classifier_dropout")
WIDTH = Key("hidden_size")
POOLER = (r"pooler\..*",)
"""Tensors of a pooler, which a file may contain although the class does not use it."""


def pooled(
    *,
    classes: Any = CLASSES,
    dense: str = "pooler.dense",
    output: str = "classifier",
    width: Any = WIDTH,
    act: Any = "tanh",
    dropout: Any = DROPOUT,
    pool: Any = "first",
    unused: Sequence[str] = (),
    **more: Any,
) -> Head:
    """Sequence classification: a pool, a linear layer with an activation, and a linear layer."""
    return Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": classes,
                "pool": pool,
                "hidden": width,
                "activation": act,
                "dropout": dropout,
            }
        },
        names={"head.dense": dense, "head.output": output},
        unused=tuple(unused),
        **more,
    )


def scored(
    output: str = "classifier",
    *,
    classes: Any = CLASSES,
    dropout: Any = DROPOUT,
    bias: bool = True,
    unused: Sequence[str] = (),
    **more: Any,
) -> Head:
    """Classification by one linear layer: of each token or, with a `pool`, of the sequence."""
    pool: Mapping[str, Any] = {"pool": more.pop("pool")} if "pool" in more else {}
    head = {"type": "classifier", "classes": classes, "dropout": dropout, "bias": bias, **pool}
    return Head(spec={"head": head}, names={"head.output": output}, unused=tuple(unused), **more)


def choices(name: str, **options: Any) -> dict[str, Head]:
    """Multiple choice: one score per sequence. Here, choices are separate rows of the batch."""
    return {f"{name}ForMultipleChoice": pooled(classes=1, **options)}


def answers(name: str, *, unused: Sequence[str] = (), **more: Any) -> dict[str, Head]:
    """Question answering: start and end scores for each token."""
    head = scored("qa_outputs", classes=2, dropout=0, unused=unused, **more)
    return {f"{name}ForQuestionAnswering": head}


def next_sentence(name: str, **options: Any) -> dict[str, Head]:
    """Next-sentence prediction: class 0 means that the second sentence follows the first."""
    head = pooled(classes=2, output="cls.seq_relationship", dropout=0, **options)
    return {f"{name}ForNextSentencePrediction": head}
