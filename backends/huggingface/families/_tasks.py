"""Heads for tasks: classes of texts and tokens, several choices, two sentences, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..family import Head
from ..values import Key

CLASSES = Key("id2label", read=len)
DROPOUT = Key("classifier_dropout")
WIDTH = Key("hidden_size")
POOLER = (r"pooler\..*",)
"""The tensors of a pooler, which a file may hold and the class does not read."""


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
    """Classes of a text: one vector, a linear layer with an activation, and a linear layer."""
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
    """Classes of each token; of a text where `pool` is given: a linear layer."""
    pool: Mapping[str, Any] = {"pool": more.pop("pool")} if "pool" in more else {}
    head = {"type": "classifier", "classes": classes, "dropout": dropout, "bias": bias, **pool}
    return Head(spec={"head": head}, names={"head.output": output}, unused=tuple(unused), **more)


def choices(name: str, **options: Any) -> dict[str, Head]:
    """Several choices: one score for each text. The choices are rows of the batch here."""
    return {f"{name}ForMultipleChoice": pooled(classes=1, **options)}


def answers(name: str, *, unused: Sequence[str] = (), **more: Any) -> dict[str, Head]:
    """The first and the last token of an answer: two scores for each token."""
    head = scored("qa_outputs", classes=2, dropout=0, unused=unused, **more)
    return {f"{name}ForQuestionAnswering": head}


def next_sentence(name: str, **options: Any) -> dict[str, Head]:
    """Whether the second sentence follows the first: class 0 is yes."""
    head = pooled(classes=2, output="cls.seq_relationship", dropout=0, **options)
    return {f"{name}ForNextSentencePrediction": head}
