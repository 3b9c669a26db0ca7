"""Encoders that become decoders: with `is_decoder: true` no token sees those after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..family import Family
from ..values import IfSet

# The class for text; its head is that for masked tokens.
WRITERS = {
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


def writer(family: Family) -> Family:
    """The family, which may also write where the library lets it."""
    if family.model_type not in WRITERS:
        return family
    head = next(head for name, head in family.heads.items() if name.endswith("ForMaskedLM"))
    return replace(
        family,
        defaults={**family.defaults, "is_decoder": False},
        spec={**family.spec, "mask": IfSet("is_decoder", "causal"), **_counted(family.spec)},
        heads={**family.heads, WRITERS[family.model_type]: head},
    )


def _counted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Positions of RoBERTa and its kin: step by step, only the mask says what is padding."""
    positions = spec.get("positions")
    if not (isinstance(positions, Mapping) and "skip_padding" in positions):
        return {}
    skip = IfSet("is_decoder", "mask", positions["skip_padding"])
    return {"positions": {**positions, "skip_padding": skip}}
