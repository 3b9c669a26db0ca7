"""Encoder families that also have a decoder class, causal if `is_decoder` is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family
from ..values import IfSet


def _counted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """RoBERTa-like positions; a decoder finds padding by `attention_mask`, not by token id."""
    positions = spec.get("positions")
    if not (isinstance(positions, Mapping) and "skip_padding" in positions):
        return {}
    skip = IfSet("is_decoder", "mask", positions["skip_padding"])
    return {"positions": {**positions, "skip_padding": skip}}


def with_decoder_class(family: Family, name: str) -> Family:
    """Add the library's causal class, which has the masked-LM head."""
    head = next(head for other, head in family.heads.items() if other.endswith("ForMaskedLM"))
    return replace(
        family,
        reads=keys(family.reads, "is_decoder"),
        spec={**family.spec, "mask": IfSet("is_decoder", "causal"), **_counted(family.spec)},
        heads={**family.heads, name: head},
    )
