"""The compiler: turns a valid spec into a graph of ops, values and scopes.

Never imports torch. `lower` runs lowering, then the passes.
"""

from __future__ import annotations

from ..spec.model import ModelSpec
from .graph import ModuleGraph, Op, Scope, Value
from .lower import lower_spec
from .lower.builder import RefusedError
from .lower.unused import located
from .passes import PASSES, check, run_passes
from .passes.choose_tiles import without_asked_tiles


def lower(spec: ModelSpec) -> ModuleGraph:
    """The graph of a spec, after all passes.

    Raises SpecErrors, also where `kernel: tiles` asks for what no mask of its stack allows.
    """
    graph = run_passes(lower_spec(spec))
    for path, reason in without_asked_tiles(graph):
        message = f"`kernel: tiles` does not apply to any layer of this stack: {reason}"
        raise located(spec, RefusedError(message, (*path, "kernel")))
    return graph


__all__ = ["PASSES", "ModuleGraph", "Op", "Scope", "Value", "check", "lower", "run_passes"]
