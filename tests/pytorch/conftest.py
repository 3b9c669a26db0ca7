"""Fixtures for tests of emitted files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RULES = "E,F,I,B,UP,SIM,RET,PT,C4"


@pytest.fixture(scope="session")
def linted() -> Callable[[Path], None]:
    """`linted(folder)` fails where ruff would change a file in the folder, or complains of one."""

    def run(folder: Path) -> None:
        plain = ["--isolated", "--no-cache", "--line-length", "100", str(folder)]
        rules = ["--target-version", "py311", "--select", RULES, "--output-format", "concise"]
        for command in (["check", *rules], ["format", "--check"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, *plain],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]

    return run


@pytest.fixture
def every_mask_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks that dense attention serves as well are computed in tiles too."""
    choosing = sys.modules["modelwright.compiler.passes.choose_tiles"]
    monkeypatch.setattr(choosing, "may_skip", lambda formula, tokens: True)
    monkeypatch.setattr(choosing, "why_dense", lambda graph, stack, formula, forced: "")
