"""How far rounding moves a model, which is measured where a usual bound does not suffice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ...compiler.graph import ModuleGraph
from ..reference import run
from ..reference.call import Array, Call
from ..reference.interpreter import Results
from .arguments import Data
from .choices import Choices
from .measure import Largest

STEPS = 8
"""A dtype may be this many times as far off as one rounding of everything is.

The examples are off by 3 such steps at most in float32, and by 1 in halves.
"""

DRAWS = 5
"""How often that is measured: where a sum nearly cancels, one draw says little."""

SEEN = 2.0**-32
"""The smallest rounding that is tried; the effect of a smaller one is taken as proportional."""


def sensitivity(
    graph: ModuleGraph, weights: Mapping[str, Array], cases: Iterable[Data], last_place: float
) -> float:
    """How far the reference moves when all numbers, of weights and on the way, move by a rounding.

    Each goes up or down by half of its last place, at random (Parker 1997, Monte Carlo arithmetic).
    Where that makes a router choose other experts, the case says nothing.
    """
    generator, step = np.random.default_rng(0), max(last_place, SEEN)

    def moved(array: Array) -> Array:
        if array.dtype != np.float64:
            return array
        return array * (1 + step * generator.choice([-0.5, 0.5], array.shape))

    largest = Largest()
    for data in [data for data in cases for _ in range(DRAWS)]:
        first, second = Choices(), Choices()

        def rounded(call: Call, results: Results, heard: Choices = second) -> Results:
            return heard(call, tuple(moved(result) for result in results))

        before = run(graph, weights, data, first)
        after = run(graph, {name: moved(w) for name, w in weights.items()}, data, rounded)
        for name in graph.outputs if first.chosen == second.chosen else ():
            largest.compare(after[name], before[name], name)
    return largest.error * last_place / step
