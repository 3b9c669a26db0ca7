"""Measure work independently of the machine and its load: CPU time relative to that of a loop."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
TRIES = 3
TURNS = 100_000


def unit() -> float:
    """The CPU seconds of a fixed loop, some milliseconds. Timed anew, under the load of now."""
    start = time.process_time()
    sum(turn % 7 for turn in range(TURNS))
    return time.process_time() - start


def within(units: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, which takes at most the CPU time of so many loops.

    The loop is timed before and after, without collecting garbage, and three tries are given:
    processor caches are shared with whatever else runs. AssertionError where all take more.
    """
    least = float("inf")
    for _ in range(TRIES):
        gc.disable()
        try:
            before = unit()
            start = time.process_time()
            result = work()
            seconds = time.process_time() - start
            least = min(least, seconds / max(before, unit()))
        finally:
            gc.enable()
        if least <= units:
            return result
    raise AssertionError(f"as much work as {least:.0f} loops, more than {units:g}")
