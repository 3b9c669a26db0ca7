"""Encoder families that also have a decoder class: causal with `is_decoder: true`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family
from ..values import IfSet

# The class for text; its head is that for masked tokens.
DECODER_CLASSES = {
    "bert": "BertLMHeadModel",
    "big_bird": "BigBirdForCausalLM",
    "camembert": "CamembertForCausalLM",
    "data2vec-text": "Data2VecTextForCausalLM",
    "electra": "ElectraForCausalLM",
    "ernie": "ErnieForCausalLM",
    "megatron-bert": "MegatronBertForCausalLM",
    "rembert": "RemBertForCausalLM",
    "roberta": "RobertaForCausalLM",
    "roberta-prelayernorm": "RobertaPreLayerNormForCausalLM",
    "roformer": "RoFormerForCausalLM",
    "xlm-roberta": "XLMRobertaForCausalLM",
    "xlm-roberta-xl": "XLMRobertaXLForCausalLM",
}


def _counted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Positions of RoBERTa and its kin: step by step, only the mask says what is padding."""
    positions = spec.get("positions")
    if not (isinstance(positions, Mapping) and "skip_padding" in positions):
        return {}
    skip = IfSet("is_decoder", "mask", positions["skip_padding"])
    return {"positions": {**positions, "skip_padding": skip}}


def with_decoder_class(family: Family) -> Family:
    """The family, which may also write where the library lets it."""
    if family.model_type not in DECODER_CLASSES:
        return family
    head = next(head for name, head in family.heads.items() if name.endswith("ForMaskedLM"))
    return replace(
        family,
        reads=keys(family.reads, "is_decoder"),
        spec={**family.spec, "mask": IfSet("is_decoder", "causal"), **_counted(family.spec)},
        heads={**family.heads, DECODER_CLASSES[family.model_type]: head},
    )
