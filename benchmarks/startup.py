"""How long `check`, `inspect` and `visualize` take to start, against importing their libraries.

python -m benchmarks.startup
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from .measure import Candidate, alternate, table

ROOT = Path(__file__).resolve().parent.parent
SPEC = str(ROOT / "examples" / "gpt2.yaml")
FIGURE = str(Path(tempfile.gettempdir()) / "modelwright_startup.svg")
BASE = "imports"
IMPORTS = "import click, pydantic, yaml, networkx"
LIMITS = {"check": 1.3, "inspect": 2.0}
COMMANDS = {
    BASE: ["-c", IMPORTS],
    "check": ["-m", "modelwright", "check", SPEC],
    "inspect": ["-m", "modelwright", "inspect", SPEC],
    "visualize": ["-m", "modelwright", "visualize", SPEC, "--quiet", "-o", FIGURE, "--force"],
    "torch": ["-c", "import torch"],
}


def started(words: list[str]) -> Candidate:
    """A fresh interpreter, in a folder where nothing can be imported by chance."""
    return lambda: subprocess.run(
        [sys.executable, *words], capture_output=True, check=True, cwd="/"
    )


@click.command()
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(min=3))
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the numbers there.")
def main(rounds: int, path: Path | None) -> None:
    """Time fresh processes in turn. Exit code 1 when a command is above its limit."""
    candidates = {name: started(words) for name, words in COMMANDS.items()}
    timed = alternate("a fresh process", candidates, rounds=rounds, warm_up=2)
    print(table([timed], BASE))
    failed = False
    for name, limit in LIMITS.items():
        ratio = timed.ratio(name, BASE)
        print(f"{name}: {ratio:.2f} x the imports, at most {limit}")
        failed |= ratio > limit
    if path:
        path.write_text(json.dumps(timed.to_json(BASE), indent=2) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
