"""Attention variants: each is a function that builds a subgraph of ops.

A new variant is one file here, one in `spec/attention`, and one row in `VARIANTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..builder import Builder
from ..state import Memory, StackState
from .collaborative import lower_collaborative
from .differential import lower_differential
from .fastformer import lower_fastformer
from .linear import lower_linear
from .mha import lower_mha
from .mla import lower_mla

Lowering = Callable[[Builder, StackState, Any, Any, str, "Memory | None"], str]

VARIANTS: dict[str, Lowering] = {
    "mha": lower_mha,
    "mla": lower_mla,
    "differential": lower_differential,
    "collaborative": lower_collaborative,
    "linear": lower_linear,
    "fastformer": lower_fastformer,
}


def lower_attention(
    b: Builder, state: StackState, block: Any, part: Any, x: str, memory: Memory | None = None
) -> str:
    """The output of an attention branch, (B, T, D)."""
    return VARIANTS[part.type](b, state, block, part, x, memory)


__all__ = ["VARIANTS", "lower_attention"]
