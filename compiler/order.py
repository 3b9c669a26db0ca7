"""Putting things in an order in which each comes after what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from heapq import heapify, heappop, heappush


def in_order(needs: Mapping[int, Iterable[int]]) -> list[int]:
    """The numbers, each after those that it needs; of those that may come next the smallest first.

    Raises graphlib.CycleError where some need each other.
    """
    if all(number in needs and number < later for later, own in needs.items() for number in own):
        return sorted(needs)  # the order in which they were made
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
