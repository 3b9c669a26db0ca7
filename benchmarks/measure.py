"""Timing that holds on a busy machine: candidates take turns, and are compared round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Candidate = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """The seconds that each candidate took in each round; `rounds[name][i]` belong together."""

    task: str
    rounds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def spread(self, name: str) -> float:
        """How far the middle half of the rounds lies apart, as a share of the median."""
        low, _, high = statistics.quantiles(self.rounds[name], n=4)
        return (high - low) / self.median(name)

    def ratio(self, name: str, other: str) -> float:
        """The median over the rounds of one time divided by another of the same round."""
        pairs = zip(self.rounds[name], self.rounds[other], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def to_json(self, ours: str) -> dict[str, object]:
        return {
            "task": self.task,
            "seconds": {name: round(self.median(name), 6) for name in self.rounds},
            "spread": {name: round(self.spread(name), 4) for name in self.rounds},
            "ratio": {
                name: round(self.ratio(ours, name), 4) for name in self.rounds if name != ours
            },
        }


def alternate(
    task: str,
    candidates: Mapping[str, Candidate],
    *,
    rounds: int,
    warm_up: int = 1,
    repeat: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Timed:
    """Time every candidate once a round, each round in another order, after unmeasured rounds.

    What is short is done `repeat` times, and a time is that of one. `clock` may be
    `time.process_time`, which other programs on the machine disturb less.
    """
    names = list(candidates)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warm_up + rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            for _ in range(repeat):
                candidates[name]()
            took = (clock() - start) / repeat
            if number >= warm_up:
                times[name].append(took)
    return Timed(task, times)


def table(results: list[Timed], ours: str) -> str:
    """A line for each task: the median and spread of each candidate, and ours as a multiple."""
    names = list(results[0].rounds)
    others = [name for name in names if name != ours]
    head = ["task", *names, *(f"{ours}/{name}" for name in others)]
    lines = [head]
    for result in results:
        times = [f"{result.median(n) * 1000:.0f} ms ±{result.spread(n) / 2:.1%}" for n in names]
        lines.append([result.task, *times, *(f"{result.ratio(ours, name):.3f}" for name in others)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    made = []
    for line in lines:
        cells = zip(line[1:], widths[1:], strict=True)
        made.append("  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in cells)]))
    return "\n".join(made)
