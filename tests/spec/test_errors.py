"""Every kind of mistake and its exact message: tests/errors/*.yaml and the .txt beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz.work import within

from modelwright.spec import SpecErrors, load

ERRORS = Path(__file__).parent.parent / "errors"
CASES = sorted(ERRORS.glob("*.yaml"))
MUCH = 250
"""Loops of `fuzz.work` whose CPU time it may take to say all that is wrong."""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_exact_words(
    path: Path, monkeypatch: pytest.MonkeyPatch, golden: Callable[[Path, str], None]
) -> None:
    monkeypatch.chdir(ERRORS)

    def refused() -> str:
        with pytest.raises(SpecErrors) as caught:
            load(path.name)
        return f"{caught.value}\n"

    golden(path.with_suffix(".txt"), within(MUCH, refused))


def test_every_expected_text_has_its_spec() -> None:
    assert {p.stem for p in ERRORS.glob("*.txt")} == {p.stem for p in CASES}
    assert len(CASES) >= 40


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_every_problem_is_located(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    with pytest.raises(SpecErrors) as caught:
        load(path.name)
    text = path.read_text(encoding="utf-8").splitlines()
    for problem in caught.value.problems:
        mark = problem.mark
        assert mark.line >= 1
        assert mark.column >= 1
        if mark.file == path.name and mark.text and "�" not in mark.text:
            assert mark.text == text[mark.line - 1]
        assert "pydantic" not in problem.message
        assert "BROKEN" not in problem.message
        assert "Input should" not in problem.message
