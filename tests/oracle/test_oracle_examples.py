"""Built examples equal the oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from .judging import example, wrong

FOLDER = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.sampled(4)
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    assert not wrong(example(path))
