"""Sources of the choices of a random spec: a seed, or hypothesis."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

Item = TypeVar("Item")


class Source(Protocol):
    """Draws a whole number from 0 to `most`."""

    def __call__(self, most: int) -> int: ...


class Dice:
    """Choices, each of which is one whole number: 0 is the simplest."""

    def __init__(self, source: Source) -> None:
        self.draw = source

    def one(self, choices: Sequence[Item]) -> Item:
        return choices[self.draw(len(choices) - 1)]

    def often(self, chance: float) -> bool:
        """True in so many of 1 cases."""
        return self.draw(999) >= 1000 * (1 - chance)

    def some(self, choices: Sequence[Item], chance: float) -> list[Item]:
        return [choice for choice in choices if self.often(chance)]


def seeded(seed: int) -> Dice:
    """The dice of a seed: the same choices each time."""
    generator = random.Random(seed)
    return Dice(lambda most: generator.randrange(most + 1))


def drawn(draw: Callable[[st.SearchStrategy[int]], Any]) -> Dice:
    """Dice that hypothesis throws, and shrinks towards 0."""
    return Dice(lambda most: int(draw(st.integers(0, most))))
