"""Data of one sequence and of the layer that reads it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...spec.masks import Atom, Mask
from ...spec.model import Stack
from .weights import Array, Weights

Draws = Callable[[Atom, int], Array]
"""Function from a predicate such as `random(4, 1, 0)` and a number of tokens T to (T, T)
booleans.
"""

Chances = Callable[[tuple[int, ...], int], Array]
"""Function from a shape and a row index to numbers in [0, 1], which determine dropout."""


@dataclass
class Tokens:
    """One sequence of a batch, as read by one stack; T tokens.

    admitted: (T,) booleans, from `attention_mask`; all true without one
    positions: (T,), from `position_ids`; 0, 1, 2 … without one, including padding
    placed: whether `position_ids` are given; last: the largest position in the batch
    ids: (T,) token ids, if the stack reads tokens
    document_ids, prefix_length, global_mask: rows of these arguments
    grid: rows and columns of the patches, which are the last tokens; of a video, after frames
    draws: the blocks of `random` masks
    chances, row: numbers that determine dropout, and the index of this sequence; without them,
        nothing is dropped
    given: the row of each argument, by name
    """

    admitted: Array
    positions: Array
    last: int
    placed: bool = False
    ids: Array | None = None
    document_ids: Array | None = None
    prefix_length: Array | None = None
    global_mask: Array | None = None
    grid: tuple[int, ...] = ()
    draws: Draws | None = None
    chances: Chances | None = None
    row: int = 0
    given: dict[str, Array] = field(default_factory=dict)
    index: Array = field(init=False)

    def __post_init__(self) -> None:
        self.index = np.arange(len(self.admitted))

    def dropped(self, x: Array, rate: float | None, shape: tuple[int, ...] = ()) -> Array:
        """x, 0 with probability `rate`, the rest over 1 - rate (Srivastava et al., 2014); with a
        `shape`, numbers of that shape are broadcast to x (a whole branch: Huang et al., 2016).
        """
        if self.chances is None or not rate:
            return x
        return np.where(self.chances(shape or x.shape, self.row) < rate, 0, x / (1 - rate))

    def dropped_rows(self, table: Array, rate: float) -> Array:
        """Dropout of a table (U, D) that all sequences share; its rows count as rows of a batch."""
        rows = [replace(self, row=i).dropped(row, rate) for i, row in enumerate(table)]
        return np.stack(rows)

    @property
    def in_front(self) -> int:
        """Number of learned tokens before the patches of an image."""
        return len(self.index) - math.prod(self.grid) if self.grid else 0

    @property
    def places(self) -> Array:
        """(axes, patches): the row and the column of each patch, or its frame, row and column."""
        return np.indices(self.grid).reshape(len(self.grid), -1)


@dataclass
class Layer:
    """One layer for one sequence.

    number: index, from 0. stack, weights: the stack, and its weights (not those of the layer).
    positions, mask: of the branch; cross-attention has neither. tokens, dropout: as named.
    condition: the vector (D,) that its norms depend on
    places: the positions (T, D) that are added to queries and keys
    """

    number: int
    stack: Stack
    weights: Weights
    positions: tuple[Any, ...]
    mask: Mask | tuple[Mask, ...]
    tokens: Tokens
    dropout: float = 0
    condition: Array | None = None
    places: Array | int = 0

    @property
    def width(self) -> int:
        return self.stack.d_model


@dataclass
class Memory:
    """Source of keys and values: x (S, D) and its tokens. own: it is the stack itself; stack: the
    other stack that it comes from. places: the positions that are added to keys
    """

    x: Array
    tokens: Tokens
    own: bool = False
    stack: Stack | None = None
    places: Array | int = 0
