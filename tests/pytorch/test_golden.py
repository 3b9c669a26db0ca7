"""Emitted files, byte for byte: a change of the product shows as a diff that a person reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_examples import FOLDER

import modelwright as mw

GOLDEN = ("bert_base", "gemma3_1b", "gpt2", "llama3_8b", "t5_small", "transformer_base")


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, root: Path, golden: Callable[[Path, str], None]) -> None:
    text = mw.emit(mw.lower(mw.load(FOLDER / f"{name}.yaml")))
    golden(root / "tests" / "golden" / f"{name}.py", text)


def test_no_golden_file_is_forgotten(root: Path) -> None:
    assert sorted(path.stem for path in (root / "tests" / "golden").glob("*.py")) == list(GOLDEN)
