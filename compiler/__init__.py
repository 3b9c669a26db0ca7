"""The compiler: turns a valid spec into a graph of ops, values and scopes.

Never imports torch. `lower` runs lowering, then the passes.
"""

from __future__ import annotations

from ..spec.model import ModelSpec
from .graph import ModuleGraph, Op, Scope, Value
from .lower import lower_spec
from .passes import PASSES, check, run_passes


def lower(spec: ModelSpec) -> ModuleGraph:
    """The graph of a spec, after all passes."""
    return run_passes(lower_spec(spec))


__all__ = ["PASSES", "ModuleGraph", "Op", "Scope", "Value", "check", "lower", "run_passes"]
