"""Every family: its keys are known, and it is found by its name."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from library_defaults import of_the_library
from transformers import CONFIG_MAPPING

from modelwright.backends.huggingface import FAMILIES, families
from modelwright.backends.huggingface.config import family_of, head_of, spec_data, values_of
from modelwright.backends.huggingface.families import HOMES
from modelwright.backends.huggingface.family import Family
from modelwright.backends.huggingface.folder import read_folder
from modelwright.spec import from_data

NEEDED = {
    "deepseek_v2": {"num_experts_per_tok": 6},
    "dots1": {"n_routed_experts": 128, "n_shared_experts": 2, "num_experts_per_tok": 6},
    "glm4_moe": {"head_dim": 128},
    "esm": {"vocab_size": 33, "pad_token_id": 1},
}
"""What a config of a family cannot be without: the library's defaults are no model."""


def alike(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() != theirs.keys():
        return {str(key) for key in ours} == {str(key) for key in theirs}
    return bool(ours == theirs)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_fixed_keys_have_the_default_of_the_library(family: Family) -> None:
    theirs = of_the_library(family)
    other = {
        key: (value, theirs[key])
        for key, value in family.fixed.items()
        if key in theirs and not alike(value, theirs[key])
    }
    assert other == {}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_config_of_the_library_s_defaults_is_read(family: Family, tmp_path: Path) -> None:
    """Written out, with every key that the library writes, and left out: the same spec."""
    needed = NEEDED.get(family.model_type, {})
    config = CONFIG_MAPPING[family.model_type](**needed)
    specs = []
    for said in (config.to_dict(), {"model_type": family.model_type, **needed}):
        (tmp_path / "config.json").write_text(json.dumps(said, default=str))
        folder = read_folder(tmp_path)
        head = head_of(folder, family_of(folder))
        values = values_of(folder, family, head)
        specs.append(from_data(spec_data(folder, family, head, values)).model_dump())
    assert specs[0] == specs[1]


def test_no_type_is_written_twice() -> None:
    """Of two entries of one type, the later one would win in silence."""
    modules = [import_module(f"{families.__name__}.{file}") for file in sorted(set(HOMES.values()))]
    written = [family.model_type for module in modules for family in module.FAMILIES]
    assert sorted(written) == sorted(set(written)) == sorted(FAMILIES)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_family_is_found_by_its_name(model_type: str) -> None:
    """Its file has the name of the type, or begins it: `gemma3_text` is in `gemma.py`."""
    name = model_type.replace("-", "_")
    assert name.startswith(HOMES[model_type]), f"{model_type} is in {HOMES[model_type]}.py"
