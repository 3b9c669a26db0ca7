"""Encoders that become decoders: with `is_decoder: true` no token sees those after it."""

from __future__ import annotations

from dataclasses import replace

from ..family import Family
from ..values import IfSet

# The class for text; its head is that for masked tokens. RoBERTa and its kin are not among them:
# a decoder that goes on step by step cannot count the tokens that are no padding.
WRITERS = {
    "bert": "BertLMHeadModel",
    "big_bird": "BigBirdForCausalLM",
    "electra": "ElectraForCausalLM",
    "ernie": "ErnieForCausalLM",
    "megatron-bert": "MegatronBertForCausalLM",
    "rembert": "RemBertForCausalLM",
    "roformer": "RoFormerForCausalLM",
}


def writer(family: Family) -> Family:
    """The family, which may also write where the library lets it."""
    if family.model_type not in WRITERS:
        return family
    head = next(head for name, head in family.heads.items() if name.endswith("ForMaskedLM"))
    return replace(
        family,
        defaults={**family.defaults, "is_decoder": False},
        spec={**family.spec, "mask": IfSet("is_decoder", "causal")},
        heads={**family.heads, WRITERS[family.model_type]: head},
    )
