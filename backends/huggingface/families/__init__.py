"""The model families that can be imported: one file per model type or group of versions.

Files have the library's names of the models; those that begin with `_` contain shared rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from ..family import Family


def _files() -> Iterator[str]:
    """Names of the files that define families, in alphabetical order."""
    names = (module.name for module in iter_modules(__path__))
    return (name for name in sorted(names) if not name.startswith("_"))


HOMES: dict[str, str] = {}
"""Model type -> the file that defines its family."""
FAMILIES: dict[str, Family] = {}
"""Model type -> its family."""

for _file in _files():
    for _family in import_module(f"{__name__}.{_file}").FAMILIES:
        HOMES[_family.model_type] = _file
        FAMILIES[_family.model_type] = _family

ALSO = {"kimi_k2": "deepseek_v3"}
"""Model types on the hub that the library does not know -> the equivalent type that it does."""

SPELLINGS = {
    "BartForMaskedLM": "BartForConditionalGeneration",
    "ExaoneForCausalLM": "LlamaForCausalLM",
    "LLaMAForCausalLM": "LlamaForCausalLM",
    "LLaMAForSequenceClassification": "LlamaForSequenceClassification",
    "LLaMAModel": "LlamaModel",
    "MPTForCausalLM": "MptForCausalLM",
    "MPTModel": "MptModel",
    "MT5WithLMHeadModel": "MT5ForConditionalGeneration",
    "PhiMoEForCausalLM": "PhimoeForCausalLM",
    "PhiMoEModel": "PhimoeModel",
    "SarvamMLAForCausalLM": "DeepseekV3ForCausalLM",
    "SarvamMoEForCausalLM": "Glm4MoeForCausalLM",
    "T5WithLMHeadModel": "T5ForConditionalGeneration",
}
"""Class names in published files that the library does not have (any more) -> those of today."""
