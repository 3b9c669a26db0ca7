"""`verify` alone finds faults in the compiler's source."""

from __future__ import annotations

import pytest
import yaml
from planting import FAULTS, ROOT, WRITTEN, found_by, model_of

from modelwright.spec import loads

QUICK = ("padding counts as a position", "a model is at rest after it generated")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("title", FAULTS)
def test_a_fault_can_be_planted(title: str) -> None:
    """What it replaces stands once in its file."""
    fault = FAULTS[title]
    assert (ROOT / fault["path"]).read_text(encoding="utf-8").count(fault["before"]) == 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", WRITTEN["models"])
def test_a_model_is_valid_without_a_fault(name: str) -> None:
    assert loads(yaml.safe_dump(model_of(name))).stacks


@pytest.mark.parametrize(
    "title", [t if t in QUICK else pytest.param(t, marks=pytest.mark.slow) for t in FAULTS]
)
def test_a_fault_is_found(title: str) -> None:
    assert found_by(title)
