"""Timing on a busy machine: candidates run alternately and are compared within each round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Candidate = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """Seconds per candidate and round; the `rounds[name][i]` of one `i` are comparable."""

    task: str
    rounds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def spread(self, name: str) -> float:
        """Interquartile range of the rounds, divided by the median."""
        low, _, high = statistics.quantiles(self.rounds[name], n=4)
        return (high - low) / self.median(name)

    def ratio(self, name: str, other: str) -> float:
        """The median over rounds of the ratio of two times of the same round."""
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
    """Time every candidate once per round, in another order in each round, after warm-up rounds.

    A short task is repeated `repeat` times; times are per repetition. `clock` may be
    `time.process_time`, which depends less on other programs on the machine.
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
    """A line per task: median and spread of each candidate, and the ratio to the emitted model."""
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
