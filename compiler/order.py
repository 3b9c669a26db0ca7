"""Deterministic topological order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from heapq import heapify, heappop, heappush


def in_order(needs: Mapping[int, Iterable[int]]) -> list[int]:
    """The numbers in topological order; ties are resolved by the smallest number.

    Raises graphlib.CycleError if there is a cycle.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ready = list(sorter.get_ready())
    heapify(ready)
    found = []
    while ready:
        number = heappop(ready)
        found.append(number)
        sorter.done(number)
        for following in sorter.get_ready():
            heappush(ready, following)
    return found
