"""Heat maps: weights in steps of colour, and what a head mostly reads."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..masks.colours import HEAT, STEPS
from ..masks.grid import Cell, grid
from ..masks.sheet import Patch

Rows = Sequence[Sequence[float]]


TIE = 0.005
"""Shares that differ by less are equal in a caption."""
EVEN = 1.2
"""Weights of a query are about equal if the largest is at most so many times the smallest."""


@dataclass(frozen=True)
class HeatMap:
    """One head of one attention.

    module   name of the attention, such as `layers.0.attention`
    head     index of the head
    weights  a row of weights per query
    queries  the token of each query
    keys     the token of each key
    stacks   the stack of the queries and that of the keys; "" for the only one of a model
    """

    module: str
    head: int
    weights: Rows
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    stacks: tuple[str, str] = ("", "")

    @property
    def tip(self) -> str:
        return f"{self.module}, head {self.head}"

    @property
    def masks(self) -> bool:
        """Whether a query does not read some key at all."""
        return any(weight <= 0 for row in self.weights for weight in row)


def patches(weights: Rows, x: float, y: float, pitch: float) -> Iterator[Patch]:
    """The cells of a map with its top left corner at (x, y), by step of colour."""
    rows: list[list[int]] = [[0] * len(weights) for _ in STEPS]
    hidden = [0] * len(weights)
    for query, row in enumerate(weights):
        for key, weight in enumerate(row):
            if weight > 0:
                rows[step_of(weight)][query] |= 1 << key
            else:
                hidden[query] |= 1 << key
    yield from _patch("masked", "masked", grid(hidden, x, y, pitch))
    for step, of_step in enumerate(rows):
        yield from _patch(HEAT[step], HEAT[step], grid(of_step, x, y, pitch))


def _patch(css: str, tone: str, cells: list[Cell]) -> Iterator[Patch]:
    if cells:
        yield Patch(css, tone, cells)


def step_of(weight: float) -> int:
    """The index of the step that a weight falls into."""
    return bisect_right(STEPS, weight) - 1


PLACES: dict[str, Callable[[int], int]] = {
    "first token": lambda q: 0,
    "itself": lambda q: q,
    "previous token": lambda q: q - 1,
}
"""What heads often read (Clark et al. 2019, arXiv:1906.04341): the key of each query."""


def mostly(one: HeatMap) -> str:
    """`previous token 62 %`: what the queries of a self-attention read most, on average.

    Equal shares are no finding: `about equal` where each query weighs all keys that it reads much
    the same; nothing if all three places tie otherwise; `first token and itself 33 % each` for two.
    The first query, which can read itself only in a causal model, does not count.
    """
    if one.stacks[0] != one.stacks[1] or one.queries != one.keys or len(one.queries) < 3:
        return ""
    shares = {}
    for name, key_of in PLACES.items():
        found = [row[key_of(q)] for q, row in enumerate(one.weights) if q > 0]
        shares[name] = sum(found) / len(found)
    best = max(shares.values())
    near = [name for name, share in shares.items() if best - share < TIE]
    if len(near) > 1 and all(_is_even(row) for row in one.weights[1:]):
        return "about equal"
    if len(near) == len(PLACES):
        return ""
    return f"{' and '.join(near)} {100 * best:.0f} %{' each' if len(near) > 1 else ''}"


def _is_even(row: Sequence[float]) -> bool:
    """Whether no key that a query reads has a much larger weight than another."""
    read = [weight for weight in row if weight > 0]
    return not read or max(read) <= EVEN * min(read)
