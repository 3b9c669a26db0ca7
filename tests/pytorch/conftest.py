"""What several tests of emitted files use."""

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
