"""Record discrete choices of the reference (experts), their margins, and the largest values.

If two experts have equal scores, rounding decides which one a router chooses, so the outputs cannot
be compared. A sigmoid, for example, is 1 for every logit above 37.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..reference.call import Array, Call
from ..reference.interpreter import Results


class Choices:
    """Observes the ops of the reference.

    chosen: the chosen experts, in order of computation
    margin: the smallest distance between chosen and other scores, relative to the largest score
    largest: largest intermediate value
    """

    def __init__(self) -> None:
        self.chosen: list[bytes] = []
        self.margin, self.largest = float("inf"), 0.0

    def __call__(self, call: Call, results: Results) -> Results:
        for result in results:
            finite = np.abs(result[np.isfinite(result)])
            self.largest = max(self.largest, float(finite.max(initial=0)))
        if call.kind not in MARGINS:
            return results
        scores = call.given("scores")
        finite = np.abs(scores[np.isfinite(scores)])
        margins, chosen = MARGINS[call.kind](call, scores)
        margin = float(np.min(margins, initial=np.inf)) / max(float(finite.max(initial=0)), 1e-30)
        self.margin = min(self.margin, margin)
        self.chosen.append(chosen.tobytes())
        return results


Made = tuple[Array, Array]
"""Distance of the chosen scores from the others, and the choice."""


def _best(scores: Array, count: int) -> Made:
    """The `count` largest scores of the last axis."""
    if count >= scores.shape[-1]:
        return np.array([np.inf]), np.ones(scores.shape, bool)
    ordered = -np.sort(-scores, axis=-1)
    last, next_one = ordered[..., count - 1], ordered[..., count]
    gaps = np.where(np.isfinite(next_one), last - np.where(np.isfinite(next_one), next_one, 0), 1)
    return gaps, scores >= last[..., None]


def _top_k(call: Call, scores: Array) -> Made:
    return _best(scores, call.value("top_k"))


def _best_groups(call: Call, scores: Array) -> Made:
    runs = scores.reshape(*scores.shape[:-1], call.value("groups"), -1)
    values = np.sort(runs, axis=-1)[..., -call.value("members") :].sum(axis=-1)
    return _best(values, call.value("kept"))


def _sparse_mixer(call: Call, scores: Array) -> Made:
    """The best remaining expert, one at a time, and those within the jitter."""
    ordered = -np.sort(-scores, axis=-1)
    gaps, made = [], [np.argsort(-scores, axis=-1, kind="stable")]
    for step in range(call.value("top_k")):
        best, left = ordered[..., step : step + 1], ordered[..., step + 1 :]
        reach = 2 * call.value("jitter") * np.maximum(np.abs(left), best)
        gaps += [(best - left).ravel(), np.abs(best - left - reach).ravel()]
        made.append(best - left <= reach)
    return np.concatenate(gaps), np.concatenate([array.ravel() for array in made])


MARGINS: dict[str, Callable[[Call, Array], Made]] = {
    "top_k": _top_k,
    "best_groups": _best_groups,
    "sparse_mixer": _sparse_mixer,
}
