"""Whether a decoder can go step by step with a cache that has its full size from the start."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph


class BuildError(ValueError):
    """An option of `build` that does not go with the spec."""


def require_static(graph: ModuleGraph) -> None:
    """Raises BuildError, with the reason, where a cache of fixed size would not do."""
    if reason := why_not_static(graph):
        raise BuildError(f"a static cache does not go with {graph.name}: {reason}")


def why_not_static(graph: ModuleGraph) -> str:
    """The reason, or ""."""
    kinds = {op.kind for op in graph.keepers()}
    if not kinds:
        return "no stack keeps a cache"
    if "attend_linearly" in kinds:
        return "linear attention keeps sums, whose size does not change"
    return ""
