"""Files of the package and their imports, and commands of this interpreter, for tests."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FLOORS = ("spec", "compiler", "backends", "explorer", "training", "cli")
"""From the ground up: each imports what stands before it, never what stands after."""

HEAVY = {"torch", "transformers", "safetensors", "tokenizers"}


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package: its dotted name below `modelwright`, and its file."""
    files = [*root.glob("*.py")]
    for floor in FLOORS:
        files += (root / floor).rglob("*.py")
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), file


def imported(name: str, file: Path) -> Iterator[str]:
    """What a module imports, anywhere in it: `spec.model` for ours, `/torch` for others."""
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f"/{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield f"/{node.module}"
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, alias.name]) for alias in node.names)


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command with this interpreter; its output, whatever its exit code."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False
    )
