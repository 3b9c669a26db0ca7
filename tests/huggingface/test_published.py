"""Configurations as published, old and new: each is imported and equals the library's model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from published_models import corpus, error, small

from modelwright.backends.huggingface import FAMILIES

CORPUS = corpus()
EVERY = 9
"""Of so many, one is tried in the normal run."""


def parameters() -> list[object]:
    names = sorted(CORPUS)
    return [
        name if number % EVERY == 0 else pytest.param(name, marks=pytest.mark.slow)
        for number, name in enumerate(names)
    ]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", parameters())
def test_published_config(name: str, tmp_path: Path) -> None:
    if CORPUS[name]["model_type"] not in transformers.CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} has no {CORPUS[name]['model_type']}")
    torch.manual_seed(0)
    assert error(small(CORPUS[name]), tmp_path) < 2e-5


def test_the_corpus_is_wide() -> None:
    types = {config["model_type"] for config in CORPUS.values()}
    assert len(CORPUS) >= 223
    assert types <= set(FAMILIES)
    assert len(types) >= 100
