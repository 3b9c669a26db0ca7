"""The spec language, read from YAML or built in Python.

    from modelwright.spec import load

    spec = load("gpt2.yaml", sets=["layers=6"])  # a ModelSpec; raises SpecErrors with all errors

Nothing here imports torch or networkx.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import python_data  # noqa: F401 - settles the levels of specs that Python makes
from .errors import Mark, SpecError, SpecErrors
from .load import from_data, load, loads
from .model import Block, ModelSpec, SpecialTokens, Stack

if TYPE_CHECKING:
    from .reference import language_reference
    from .schema import json_schema

__all__ = [
    "Block",
    "Mark",
    "ModelSpec",
    "SpecError",
    "SpecErrors",
    "SpecialTokens",
    "Stack",
    "from_data",
    "json_schema",
    "language_reference",
    "load",
    "loads",
]

_LATER = {
    "json_schema": ".schema",
    "language_reference": ".reference",
}


def __getattr__(name: str) -> object:
    """Import printing functions on first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_LATER[name], __name__), name)
    globals()[name] = value
    return value
