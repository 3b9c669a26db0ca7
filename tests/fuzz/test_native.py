"""Looking for the library's class of a random spec never ends with an error in a row."""

from __future__ import annotations

import pytest

from modelwright.backends.huggingface.native import find_native
from modelwright.spec import SpecErrors, loads

from .examine import read
from .specs import random_spec

FIRST = range(0, 24, 6)
COUNT = 400
STEP = 25


def tried(seeds: range) -> int:
    """How many of the specs are valid. Whatever a row raises besides a refusal is raised here."""
    valid = 0
    for seed in seeds:
        try:
            spec = read(random_spec(seed))
        except SpecErrors:
            continue
        find_native(spec)
        valid += 1
    return valid


@pytest.mark.parametrize("first", FIRST)
def test_random_specs_have_a_class_or_none(first: int) -> None:
    assert tried(range(first, first + 6)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 100 + COUNT, STEP))
def test_four_hundred_random_specs_have_a_class_or_none(first: int) -> None:
    assert tried(range(first, first + STEP)) > STEP // 2


def test_a_model_without_residual_connections_has_no_class() -> None:
    """A row asked `residual: none` for its scales: AttributeError."""
    text = "{name: x, family: decoder-only, vocab_size: 32, d_model: 16, layers: 2, "
    text += "positions: rotary, attention: {heads: 2}, residual: none, head: language_model}"
    assert find_native(loads(text)) is None
