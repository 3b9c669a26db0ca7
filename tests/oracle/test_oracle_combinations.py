"""What is compiled of chosen combinations is what they say.

They hold values that random specs do not draw (a yarn that shrinks, capacities of one token, a
scale of 0), and options that meet in few models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import modelwright as mw

from .disputes import disputed
from .judging import CASES, wrong

TEXT = {"name": "small", "vocab_size": 20, "d_model": 16, "layers": 2, "attention": {"heads": 2}}
BASES: dict[str, dict[str, Any]] = {
    "decoder": {**TEXT, "family": "decoder-only", "max_positions": 40},
    "encoder": {**TEXT, "family": "encoder-only", "max_positions": 40},
    "image or signal": {
        "name": "small",
        "family": "encoder-only",
        "d_model": 16,
        "layers": 2,
        "attention": {"heads": 2},
    },
    "whole": {},
}
FILE = Path(__file__).with_name("combinations.yaml")
SPECS = {
    f"{group}: {name}": {**BASES[group], **keys}
    for group, specs in yaml.safe_load(FILE.read_text(encoding="utf-8")).items()
    for name, keys in specs.items()
}
FEW = ("plain", "left, placed", "documents")


def spec_of(name: str) -> mw.ModelSpec:
    return mw.loads(yaml.safe_dump(SPECS[name], sort_keys=False))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", SPECS)
def test_combination(name: str) -> None:
    assert not disputed(spec_of(name))
    assert not wrong(spec_of(name), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_combination_with_all_arguments(name: str) -> None:
    assert not wrong(spec_of(name), CASES)
