"""Measure the effect of rounding on a model, if the usual bound does not suffice."""

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
"""Bound of the error in a dtype, as a multiple of the effect of rounding all values once.

The examples need at most 3 in float32, and 1 in half precision.
"""

DRAWS = 5
"""Number of measurements; one is not enough where a sum nearly cancels."""

SEEN = 2.0**-32
"""The smallest perturbation; the effect of smaller ones is extrapolated linearly."""


def sensitivity(
    graph: ModuleGraph,
    weights: Mapping[str, Array],
    cases: Iterable[Data],
    last_place: float,
    rerouted: bool = False,
) -> float:
    """The change of the reference when all weights and intermediate values are perturbed.

    Each changes by half a unit in the last place, up or down at random (Parker, 1997, Monte Carlo
    arithmetic). Cases in which a router chooses other experts are ignored, unless `rerouted`.
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
        for name in graph.outputs if rerouted or first.chosen == second.chosen else ():
            largest.compare(after[name], before[name], name)
    return largest.error * last_place / step
