"""The shortest description of the order of layers in a stack.

>>> fold(["local", "local", "global"] * 2 + ["local"])
[(2, [(2, 'local'), (1, 'global')]), (1, [(1, 'local')])]
>>> phrases(["local", "local", "global"] * 2 + ["local"])
['(2 local, 1 global) × 2', '1 local']
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

Run = tuple[int, str]


def runs(order: Sequence[str]) -> list[Run]:
    return [(len(list(group)), kind) for kind, group in groupby(order)]


def fold(order: Sequence[str]) -> list[tuple[int, list[Run]]]:
    """(count, item): leading runs, a repeated group, and the rest."""
    found = runs(order)
    best = [(1, found)] if found else []
    for start in range(min(len(found), 4)):
        for period in range(2, min(len(found), 8) + 1):
            group = found[start : start + period]
            times = _repeats(found, start, group)
            if times < 2:
                continue
            rest = found[start + times * period :]
            parts = [(1, found[:start]), (times, group), (1, rest)]
            candidate = [(count, part) for count, part in parts if part]
            if _cost(candidate) < _cost(best):
                best = candidate
    return best


def _repeats(found: list[Run], start: int, group: list[Run]) -> int:
    times = 0
    while found[start + times * len(group) : start + (times + 1) * len(group)] == group:
        times += 1
    return times


def _cost(parts: list[tuple[int, list[Run]]]) -> int:
    return sum(len(group) + (times > 1) for times, group in parts)


def phrases(order: Sequence[str]) -> list[str]:
    """One phrase for each part of the order, first layers first."""
    texts = []
    for times, group in fold(order):
        text = ", ".join(f"{count} {kind}" for count, kind in group)
        texts.append(f"({text}) × {times}" if times > 1 else text)
    return texts
