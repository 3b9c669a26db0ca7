"""The model families that can be imported, one entry of data each."""

from __future__ import annotations

from ..family import Family
from . import bert, encoders, gpt2, llama

_MODULES = (bert, encoders, gpt2, llama)

FAMILIES: dict[str, Family] = {
    family.model_type: family for module in _MODULES for family in module.FAMILIES
}
