"""The spec language: what a user may write, read from YAML or built in Python.

    from modelwright.spec import load

    spec = load("gpt2.yaml", sets=["layers=6"])  # a ModelSpec, or SpecErrors with every mistake

Nothing here imports torch or networkx.
"""

from __future__ import annotations

from .errors import Mark, SpecError, SpecErrors
from .load import from_data, load, loads
from .model import Block, ModelSpec, SpecialTokens, Stack

__all__ = [
    "Block",
    "Mark",
    "ModelSpec",
    "SpecError",
    "SpecErrors",
    "SpecialTokens",
    "Stack",
    "from_data",
    "load",
    "loads",
]
