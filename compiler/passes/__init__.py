"""The passes, in order. Each maps a graph to a graph; `check` defines legal graphs."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import ModuleGraph
from .bound_caches import bound_caches
from .check import IllegalGraphError, check
from .choose_kernels import choose_kernels
from .choose_tiles import choose_tiles
from .hoist_invariants import hoist_invariants
from .merge_equal import merge_equal
from .name_shared_values import name_shared_values

Pass = Callable[[ModuleGraph], ModuleGraph]

PASSES: tuple[Pass, ...] = (
    hoist_invariants,
    merge_equal,
    name_shared_values,
    choose_kernels,
    choose_tiles,
    bound_caches,
)


def run_passes(graph: ModuleGraph, *, checked: bool = False) -> ModuleGraph:
    """The graph after all passes; with `checked`, results are checked and errors name the pass."""
    for step in PASSES:
        graph = step(graph)
        if checked:
            try:
                check(graph)
            except IllegalGraphError as error:
                raise IllegalGraphError(f"after {step.__name__}: {error}") from None
    return graph


__all__ = ["PASSES", "IllegalGraphError", "check", "run_passes"]
