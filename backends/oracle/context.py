"""What is known of the tokens of one sequence, and of the layer that reads it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...spec.masks import Atom, Mask
from ...spec.model import Stack
from .weights import Array, Weights

Draws = Callable[[Atom, int], Array]
"""An atom such as `random(4, 1, 0)` and a number of tokens T -> (T, T) booleans."""

Chances = Callable[[tuple[int, ...], int], Array]
"""A shape and the number of a row -> numbers from 0 to 1, which decide what training drops."""


@dataclass
class Tokens:
    """One row of a batch, as one stack reads it; T tokens.

    admitted: (T,) booleans, the row of `attention_mask`; all true without one
    positions: (T,), the row of `position_ids`; 0, 1, 2 … without one, whatever is padding
    placed: they come from `position_ids`; last: the largest of the whole batch
    ids: (T,) token ids, where the stack reads tokens
    document_ids, prefix_length, global_mask: rows of these arguments
    grid: rows and columns of the patches of an image, which are the last tokens
    draws: which blocks a `random` mask draws
    chances, row: what decides about dropout, and the number of this row; nothing is dropped without
    """

    admitted: Array
    positions: Array
    last: int
    placed: bool = False
    ids: Array | None = None
    document_ids: Array | None = None
    prefix_length: Array | None = None
    global_mask: Array | None = None
    grid: tuple[int, int] | None = None
    draws: Draws | None = None
    chances: Chances | None = None
    row: int = 0
    index: Array = field(init=False)

    def __post_init__(self) -> None:
        self.index = np.arange(len(self.admitted))

    def dropped(self, x: Array, rate: float | None, shape: tuple[int, ...] = ()) -> Array:
        """x, 0 with probability `rate`, the rest over 1 - rate (Srivastava et al., 2014); with a
        `shape`, numbers of that shape decide about x (a whole branch: Huang et al., 2016).
        """
        if self.chances is None or not rate:
            return x
        return np.where(self.chances(shape or x.shape, self.row) < rate, 0, x / (1 - rate))

    def dropped_rows(self, table: Array, rate: float) -> Array:
        """A table (U, D) that all sequences read: each of its rows counts as a row of a batch."""
        rows = [replace(self, row=i).dropped(row, rate) for i, row in enumerate(table)]
        return np.stack(rows)

    @property
    def in_front(self) -> int:
        """How many learned tokens stand in front of the patches of an image."""
        return 0 if self.grid is None else len(self.index) - self.grid[0] * self.grid[1]


@dataclass
class Layer:
    """One layer, as it reads one sequence.

    number: from 0. stack, weights: the stack, and its weights (not those of the layer). positions,
    mask: of the branch; a cross-attention has neither. tokens: of the sequence. dropout: of the
    block
    """

    number: int
    stack: Stack
    weights: Weights
    positions: tuple[Any, ...]
    mask: Mask | tuple[Mask, ...]
    tokens: Tokens
    dropout: float = 0

    @property
    def width(self) -> int:
        return self.stack.d_model


@dataclass
class Memory:
    """What keys and values are made of: x (S, D) and its tokens. own: it is the stream itself."""

    x: Array
    tokens: Tokens
    own: bool = False
