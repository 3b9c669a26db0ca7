"""The model families that can be imported, one entry of data each."""

from __future__ import annotations

from ..family import Family
from . import bert, gpt2, llama

FAMILIES: dict[str, Family] = {
    family.model_type: family for module in (bert, gpt2, llama) for family in module.FAMILIES
}
