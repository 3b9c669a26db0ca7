"""Which tests run which line, measured once for a tree, file by file."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from .areas import CACHE, ROOT, digest
from .tracing import Line

FOLDERS = ("spec", "security", "compiler", "oracle", "pytorch", "reference", "verify", "fuzz")
FOLDERS += ("huggingface",)
FILES = (
    "cli/test_cli_check.py",
    "parity/test_parity_*.py",
    "parity/test_coverage.py",
    "test_api.py",
)
LEFT_OUT = (
    "test_killed",
    "test_killed_commands",
    "test_growth",
    "test_oracle_stands_alone",
    "test_broken",
    "test_reference_stands_alone",
    "test_work",
)
"""What says nothing about what is computed, or takes minutes."""


@dataclass(frozen=True)
class Timed:
    """A test by its name for pytest, and its CPU seconds."""

    name: str
    seconds: float


def test_files() -> list[Path]:
    found = [path for name in FOLDERS for path in (ROOT / "tests" / name).rglob("test_*.py")]
    found += [path for name in FILES for path in (ROOT / "tests").glob(name)]
    return [path for path in found if path.stem not in LEFT_OUT]


def make(folder: Path = CACHE / "tests") -> None:
    """Run every file that is not known yet under the tracer."""
    for path in test_files():
        out = folder / f"{path.parent.name}-{path.stem}.pickle"
        if out.exists() and pickle.loads(out.read_bytes())[0] == state(path):
            continue
        words = [sys.executable, "-m", "tests.mutate.coverage", str(path), str(out)]
        subprocess.run(words, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        print(f"{path.relative_to(ROOT)}: {'known' if out.exists() else 'cannot be run'}")


def state(path: Path) -> str:
    """Changes with a file of tests, and with the files that faults are planted in."""
    return f"{digest()} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def by_line(folder: Path = CACHE / "tests") -> dict[Line, list[Timed]]:
    """The tests that run each line, the quickest first."""
    found: dict[Line, list[Timed]] = defaultdict(list)
    for path in sorted(folder.glob("*.pickle")):
        for name, (lines, seconds) in pickle.loads(path.read_bytes())[1].items():
            for line in lines:
                found[line].append(Timed(name, seconds))
    return {line: sorted(some, key=lambda test: test.seconds) for line, some in found.items()}


def main(path: str, out: str) -> int:
    """One file of tests, traced."""
    import pytest

    from .covering import Covering

    os.chdir(ROOT)
    words = ["--rootdir=tests", "--confcutdir=tests", "-p", "no:cacheprovider", "-q"]
    return int(
        pytest.main(
            [*words, "-m", "not slow", path], plugins=[Covering(Path(out), state(Path(path)))]
        )
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
