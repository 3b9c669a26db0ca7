"""A pytest plugin: which lines of the areas each test runs, and how long it takes."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from .tracing import Line, traced


class Covering:
    """Collects what every passed test ran, and writes it down at the end.

    A fixture that many tests share runs once: what it runs is counted for every test of its file.
    """

    def __init__(self, out: Path, state: str) -> None:
        self.out, self.state = out, state
        self.lines: dict[str, set[Line]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        begun = time.process_time()
        with traced() as found:
            yield
        self.lines[item.nodeid] = found
        self.seconds[item.nodeid] = time.process_time() - begun

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed or report.skipped:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        passed = {name for name in self.lines if name not in self.failed}
        known = {name: (self.lines[name], self.seconds[name]) for name in passed}
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_bytes(pickle.dumps((self.state, known)))
