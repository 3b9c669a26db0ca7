"""Built random specs equal the oracle."""

from __future__ import annotations

import pytest
from fuzz.specs import random_spec

from modelwright.spec import SpecErrors

from .disputes import disputed
from .judging import differences, read

FEW, MANY, STEP = 30, 600, 50
LOOSE = 1e-8
"""Sums of weights that vanish (a linear attention with negative features) lose digits."""


def disagreements(seeds: range) -> list[str]:
    found = []
    for seed in seeds:
        try:
            spec = read(random_spec(seed))
        except SpecErrors:
            continue
        if not disputed(spec):
            found += [f"seed {seed}: {name}: {error:.1e}" for name, error in
                      differences(spec).items() if not error <= LOOSE]  # fmt: skip
    return found


def test_a_few_random_specs() -> None:
    assert not disagreements(range(FEW))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FEW, MANY, STEP))
def test_many_random_specs(first: int) -> None:
    assert not disagreements(range(first, first + STEP))


def test_most_random_specs_are_not_disputed() -> None:
    specs = []
    for seed in range(60):
        try:
            specs.append(read(random_spec(seed)))
        except SpecErrors:
            continue
    assert sum(bool(disputed(spec)) for spec in specs) < len(specs) // 5
