"""Where faults are planted: the files of each area, its tests, and the score it must reach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "out" / "mutants"
"""Ignored by git: what is known of the unchanged tree, and the results."""


@dataclass(frozen=True)
class Area:
    """One part of the compiler.

    files: patterns below the repository
    ground: packages that no file of the area is part of and that import none of them. They are
        imported once; whatever lies above is imported anew for each mutant
    judge: which laws it is tried with first (`laws.py`)
    tests: folders of the tests that are tried after them
    goal: the least share of its mutants that must be found
    """

    name: str
    files: tuple[str, ...]
    ground: tuple[str, ...]
    judge: str
    tests: tuple[str, ...]
    goal: float

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Its files, below the repository."""
        found = {path for pattern in self.files for path in ROOT.glob(pattern)}
        return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found))


PYTORCH = "backends/pytorch"
HUGGINGFACE = "backends/huggingface"
SPEC, BELOW = ("modelwright.spec",), ("modelwright.spec", "modelwright.backends.pytorch")
MODELS = ("compiler", "fuzz", "oracle", "parity", "pytorch", "reference", "verify")
MODELS += ("spec", "cli", "huggingface")  # messages of lowering; the loader of exported files
AREAS = (
    Area(
        "resolution",
        tuple(f"spec/{name}.py" for name in ("layers", "levels", "merge", "surface")),
        (),
        "writings",
        ("spec", "oracle", "security", "cli", "fuzz"),
        0.90,
    ),
    Area("lowering", ("compiler/lower/**/*.py",), SPEC, "oracle", MODELS, 0.95),
    Area("ops", ("compiler/ops/*.py",), SPEC, "oracle", MODELS, 0.95),
    Area(
        "rows",
        (
            f"{PYTORCH}/ops/*.py",
            *(f"{PYTORCH}/{name}.py" for name in ("initial", "loss", "mask_functions")),
        ),
        SPEC,
        "oracle",
        MODELS,
        0.95,
    ),
    Area("runtime", (f"{PYTORCH}/runtime/[a-z]*.py",), SPEC, "oracle", MODELS, 0.95),
    Area(
        "importer",
        (
            f"{HUGGINGFACE}/families/*.py",
            *(f"{HUGGINGFACE}/{name}.py" for name in ("layers", "layouts", "names", "rotary")),
            *(f"{HUGGINGFACE}/{name}.py" for name in ("sizes", "values")),
        ),
        BELOW,
        "library",
        ("huggingface", "parity"),
        0.90,
    ),
)
BY_NAME = {area.name: area for area in AREAS}


def area_of(path: str) -> Area:
    """The area of a file. Raises KeyError for one of none."""
    for area in AREAS:
        if path in area.paths:
            return area
    raise KeyError(path)


def watched() -> Iterator[str]:
    """Every file of every area."""
    for area in AREAS:
        yield from area.paths


def digest() -> str:
    """Changes with every file that faults are planted in: what is known of other files is stale."""
    found = hashlib.sha256()
    for path in watched():
        found.update(path.encode() + (ROOT / path).read_bytes())
    return found.hexdigest()[:16]
