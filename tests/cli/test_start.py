"""How long commands take to start, against the libraries that they stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = 9


@pytest.mark.slow
@pytest.mark.xdist_group("timing")
def test_commands_start_lean(examples: Path, tmp_path: Path) -> None:
    """`check` at most 1.3 times, `inspect` twice the bare imports: the best of alternating runs."""
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
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *words], env=environment, check=True, stdout=subprocess.DEVNULL
            )
            best[name] = min(best[name], time.perf_counter() - start)
    assert best["check"] <= 1.3 * best["bare"], best
    assert best["inspect"] <= 2 * best["bare"], best
