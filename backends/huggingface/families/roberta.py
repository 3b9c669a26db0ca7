"""RoBERTa (Liu et al., 2019, arXiv:1907.11692): position ids skip padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..family import Family, Head
from ..values import Key, Row
from ._as_decoder import with_decoder_class
from ._bert_like import PRE_NORM, bert_like, masked_head, pooled_model, token_heads, two_layers
from ._rows import after_padding
from ._tasks import choices

AFTER_PADDING = {
    "type": "learned",
    "offset": after_padding,
    "skip_padding": "tokens",
}

AFTER_PADDING_SPEC: Mapping[str, Any] = {
    "max_positions": Row(
        lambda values: values["max_position_embeddings"] - after_padding(values),
        lambda value: {"max_position_embeddings": value + 2},  # correct if the pad id is 1
    ),
    "positions": AFTER_PADDING,
}


def roberta_heads(name: str, **head: Any) -> dict[str, Head]:
    return {
        f"{name}ForMaskedLM": masked_head("lm_head", act="gelu", **head),
        f"{name}Model": pooled_model(),
        **two_layers(name),
        **choices(name, dropout=Key("hidden_dropout_prob")),
        **token_heads(name),
    }


def roberta_like(model_type: str, name: str, prefix: str = "roberta.", **more: Any) -> Family:
    spec = {**AFTER_PADDING_SPEC, **more.pop("spec", {})}
    heads = more.pop("heads", roberta_heads(name))
    return bert_like(model_type, prefix=prefix, heads=heads, spec=spec, **more)


ROBERTA = roberta_like("roberta", "Roberta")

ROBERTA_PRE_NORM = roberta_like(
    "roberta-prelayernorm",
    "RobertaPreLayerNorm",
    "roberta_prelayernorm.",
    spec=PRE_NORM,
    names={
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.intermediate.LayerNorm",
        "norm": "LayerNorm",
    },
)

FAMILIES = (
    with_decoder_class(ROBERTA, "RobertaForCausalLM"),
    with_decoder_class(ROBERTA_PRE_NORM, "RobertaPreLayerNormForCausalLM"),
)
