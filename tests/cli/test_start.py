"""Start-up time of commands, compared with importing the libraries that they use."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 9


def cpu_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.xdist_group("timing")
def test_commands_start_lean(examples: Path, tmp_path: Path) -> None:
    """`check` at most 1.3 times, `inspect` twice the bare imports: the least CPU time of nine."""
    spec = str(examples / "gpt2.yaml")
    commands = {
        "bare": ["-c", "import click, pydantic, yaml, networkx"],
        "check": ["-m", "modelwright", "check", spec, "--quiet"],
        "inspect": ["-m", "modelwright", "inspect", spec],
    }
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):
        for name, words in commands.items():
            start = cpu_seconds()
            subprocess.run(
                [sys.executable, *words], env=environment, check=True, stdout=subprocess.DEVNULL
            )
            best[name] = min(best[name], cpu_seconds() - start)
    assert best["check"] <= 1.3 * best["bare"], best
    assert best["inspect"] <= 2 * best["bare"], best
