"""Documents broken at random are valid specs or give located errors."""

from __future__ import annotations

import copy

import pytest

from . import broken
from .broken import broken_document, read_many
from .specs import random_spec

COUNT = 100_000
STEP = 1000


def faults(seeds: range) -> list[str]:
    wrong = [r for r in read_many(seeds) if r.word not in ("valid", "refused")]
    return [f"{r.seed}: {r.word}: {r.what}" for r in wrong]


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_broken_documents(first: int) -> None:
    assert not faults(range(first, first + 100))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(STEP, COUNT, STEP))
def test_a_hundred_thousand_broken_documents(first: int) -> None:
    assert not faults(range(first, first + STEP))


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert [broken_document(n) for n in range(20)] == [broken_document(n) for n in range(20)]


def test_some_are_still_valid() -> None:
    words = [reading.word for reading in read_many(range(40))]
    assert 0 < words.count("valid") < 40


def test_broken_documents_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a part that several specs share grows from document to document: 26 MB was seen."""
    kept = random_spec(3)
    before = copy.deepcopy(kept.data)
    monkeypatch.setattr(broken, "random_spec", lambda seed: kept)
    for seed in range(60):
        broken_document(seed)
    assert kept.data == before
