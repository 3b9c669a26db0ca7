"""Data that the page requests once: the schema, the examples, and the spec to open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..spec import json_schema
from ..spec.masks import ATOMS
from ..version import __version__

EXAMPLES = Path(__file__).parent.parent / "examples"
FIRST = "gpt2"


def start(file: dict[str, str] | None = None, *, watch: bool = False) -> dict[str, Any]:
    """The answer to the first question.

    file: name, text and digest of the spec to open; None: the first example
    watch: whether the page asks for changes of this file
    """
    names = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
    return {
        "version": __version__,
        "schema": json_schema(),
        "words": {"mask": list(ATOMS), "extends": [f"{name}.yaml" for name in names]},
        "examples": {name: example(name) for name in names},
        "file": file,
        "first": FIRST,
        "watch": watch,
    }


def example(name: str) -> str:
    """The text of an example, without the line for editors that names a schema beside it."""
    lines = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# yaml-language-server:"))
