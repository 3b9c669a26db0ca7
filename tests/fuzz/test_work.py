"""Measuring work, and the settings under which random cases are generated."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from .work import TRIES, TURNS, within


def loops(number: int) -> int:
    return sum(turn % 7 for turn in range(number * TURNS))


def test_a_result_comes_back() -> None:
    assert within(20, lambda: loops(1)) == loops(1)


def test_too_much_work_is_found_after_three_tries() -> None:
    tried = []
    with pytest.raises(AssertionError, match="as much work as"):
        within(4, lambda: tried.append(loops(20)))
    assert len(tried) == TRIES


def test_random_cases_depend_on_no_clock() -> None:
    profile = settings.default
    assert profile is not None
    assert profile.deadline is None
    assert profile.derandomize
    assert HealthCheck.too_slow in profile.suppress_health_check
