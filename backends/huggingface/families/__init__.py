"""The model families that can be imported, one entry of data each."""

from __future__ import annotations

from ..family import Family
from . import bert, cohere, encoders, gemma, gpt2, llama, olmo, phi

_MODULES = (
    bert,
    cohere,
    encoders,
    gemma,
    gpt2,
    llama,
    olmo,
    phi,
)

FAMILIES: dict[str, Family] = {
    family.model_type: family for module in _MODULES for family in module.FAMILIES
}
