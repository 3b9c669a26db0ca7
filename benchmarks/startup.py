"""Time of `check`, `inspect` and `visualize`, compared with importing the libraries they need.

python -m benchmarks.startup
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from .measure import Candidate, alternate

ROOT = Path(__file__).resolve().parent.parent
SPEC = str(ROOT / "examples" / "gpt2.yaml")
FIGURE = str(Path(tempfile.gettempdir()) / "modelwright_startup.svg")
BASE = "libraries"
IMPORTS = "import click, pydantic, yaml, networkx"
LIMITS = {"check": 1.3, "inspect": 2.0}
DRAWN_AT_MOST = 1.5  # times the start of `check`
COMMANDS = {
    BASE: ["-c", IMPORTS],
    "check": ["-m", "modelwright", "check", SPEC],
    "inspect": ["-m", "modelwright", "inspect", SPEC],
    "visualize": ["-m", "modelwright", "visualize", SPEC, "--quiet", "-o", FIGURE, "--force"],
    "torch": ["-c", "import torch"],
}


def started(words: list[str]) -> Candidate:
    """A fresh interpreter with cached bytecode, in a folder without importable files."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *words]
    return lambda: subprocess.run(
        command, capture_output=True, check=True, cwd="/", env=environment
    )


@click.command()
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(min=3))
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the numbers there.")
def main(rounds: int, path: Path | None) -> None:
    """Time fresh processes alternately. Exit code 1 if a command exceeds its limit."""
    candidates = {name: started(words) for name, words in COMMANDS.items()}
    timed = alternate("a fresh process", candidates, rounds=rounds, warm_up=2)
    failed = False
    for name in COMMANDS:
        ratio = timed.ratio(name, BASE)
        limit = LIMITS.get(name)
        times = f"{timed.median(name) * 1000:5.0f} ms ±{timed.spread(name) / 2:.0%}"
        print(f"{name:<11}{times:>14}  {ratio:.2f} x" + (f", at most {limit} x" if limit else ""))
        failed |= limit is not None and ratio > limit
    drawn = timed.ratio("visualize", "check")
    print(f"visualize takes {drawn:.2f} x as long as check, at most {DRAWN_AT_MOST} x")
    failed |= drawn > DRAWN_AT_MOST
    if path:
        path.write_text(json.dumps(timed.to_json(BASE), indent=2) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
