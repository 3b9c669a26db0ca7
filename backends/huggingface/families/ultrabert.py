"""UltraBERT: EuroBERT's layers with windows, and a head of two layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Head
from ..layers import Layer
from ..rotary import Rotary, stated
from ..values import Key, Values
from ._rows import KINDS, changed, layer_types
from ._tasks import answers, scored
from .eurobert import EUROBERT
from .modernbert import POOLING

_ROPE = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {"rope_type": "default", "rope_theta": 2_560_000.0},
}

_MASKS = {"full_attention": "full", "sliding_attention": "band({})"}


def _layers(values: Values) -> list[Layer]:
    """Every third layer is full; windows extend `sliding_window` tokens to each side."""
    count = values["num_hidden_layers"]
    kinds = ["sliding_attention" if (i + 1) % 3 else "full_attention" for i in range(count)]
    values = {
        **values,
        "layer_types": values["layer_types"] or kinds,
        "rope_parameters": stated(values) or _ROPE,
    }
    layers: list[Layer] = []
    for kind in layer_types(values):
        block: dict[str, Any] = {"mask": _MASKS[kind].format(values["sliding_window"])}
        layers.append(
            (
                KINDS[kind],
                {**block, "positions": Rotary(layer_type=kind, by_layer_type=True)(values)},
            )
        )
    return layers


def masked_words(output: str, **more: Any) -> Head:
    return Head(
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "transform": {
                    "type": "dense",
                    "inner": Key("prediction_head_size"),
                    "activation": "gelu_tanh",
                    "norm": "none",
                    "bias": False,
                },
            }
        },
        names={"head.inner": "head.linear1", "head.dense": "head.linear2", "head.output": output},
        untied={f"{output}.weight": "embed_tokens.weight"},
        **more,
    )


ULTRABERT = replace(
    EUROBERT,
    model_type="ultrabert",
    reads=keys(
        EUROBERT.reads, "sliding_window prediction_head_size classifier_pooling classifier_dropout"
    ),
    optional={**EUROBERT.optional, "layer_types": list},
    irrelevant=EUROBERT.irrelevant - {"classifier_pooling"},
    spec=changed(EUROBERT.spec, {"positions": None}),
    layers=_layers,
    prefix="ultrabert.",
    heads={
        "UltrabertForMaskedLM": masked_words("cls"),
        "UltrabertModel": Head(),
        "UltrabertForSequenceClassification": scored(pool=POOLING),
        "UltrabertForTokenClassification": scored(),
        **answers("Ultrabert"),
    },
)

FAMILIES = (ULTRABERT,)
