"""What the parts of one layer know of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...spec.masks import Mask
from ...spec.model import Stack
from .tokens import Tokens
from .weights import Array, Weights


@dataclass
class Layer:
    """One layer, as it reads one sequence.

    number: of the layer, from 0; count: how many the stack has
    name: of the layer's block
    stack, weights: the stack, and its weights (not those of the layer)
    positions, mask: of the branch; a cross-attention has neither
    tokens: of the sequence
    """

    number: int
    name: str
    stack: Stack
    weights: Weights
    positions: tuple[Any, ...]
    mask: Mask | tuple[Mask, ...]
    tokens: Tokens

    @property
    def width(self) -> int:
        return self.stack.d_model

    @property
    def count(self) -> int:
        return self.stack.layers

    @property
    def longest(self) -> int | None:
        return self.stack.max_positions


@dataclass
class Memory:
    """What keys and values are made of: x (S, D) and its tokens. own: it is the stream itself."""

    x: Array
    tokens: Tokens
    own: bool = False

    def seen(self, heads: int, queries: int) -> Array:
        """(H, T, S): of a memory, everything but padding is seen."""
        return np.broadcast_to(self.tokens.admitted, (heads, queries, len(self.x)))
