"""Longformer (Beltagy et al., 2020, arXiv:2004.05150), without global tokens."""

from __future__ import annotations

from collections.abc import Callable

from ..defaults import keys
from ..layers import Layer
from ..values import Key, RefusedError, Values
from ._bert_like import bert_like, masked_head, pooled_model, token_heads
from .roberta import AFTER_PADDING_SPEC

PARTS = ("query", "key", "value")


def windows(layers: str) -> Callable[[Values], list[Layer]]:
    """A block for each window size; a window of n extends n / 2 tokens to each side."""

    def read(values: Values) -> list[Layer]:
        value, count = values["attention_window"], values[layers]
        each = [value] * count if isinstance(value, int) else list(value)
        if len(each) != count:
            raise RefusedError(f"`attention_window` has {len(each)} entries for {count} layers")
        return [
            (f"window_{width}", {"mask": f"band({width // 2}) | global(given)"}) for width in each
        ]

    return read


LONGFORMER = bert_like(
    "longformer",
    prefix="longformer.",
    heads={
        "LongformerForMaskedLM": masked_head("lm_head", act="gelu"),
        "LongformerModel": pooled_model(),
        **{
            key: head
            for key, head in token_heads("Longformer", dropout=Key("hidden_dropout_prob")).items()
            if key.endswith("TokenClassification")
        },
    },
    reads=keys("attention_window"),
    optional={"attention_window": object},
    irrelevant=frozenset(["attention_mode", "autoregressive", "ignore_attention_mask"])
    | {"attention_dilation", "onnx_export", "sep_token_id"},
    spec={**AFTER_PADDING_SPEC, "attention": {"separate_global": True}},
    layers=windows("num_hidden_layers"),
    names={
        f"layers.{{}}.attention.{part}_global": f"encoder.layer.{{}}.attention.self.{part}_global"
        for part in PARTS
    },
)

FAMILIES = (LONGFORMER,)
