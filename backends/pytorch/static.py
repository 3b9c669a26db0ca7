"""Whether a decoder can use a cache that is allocated at full size."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph


class BuildError(ValueError):
    """An option of `build` does not fit the spec."""


def require_static(graph: ModuleGraph) -> None:
    """Raise BuildError, with the reason, if a static cache is not possible."""
    if reason := why_not_static(graph):
        raise BuildError(f"--static-cache does not apply to {graph.name}: {reason}")


def why_not_static(graph: ModuleGraph) -> str:
    """The reason, or ""."""
    kinds = {op.kind for op in graph.keepers()}
    if not kinds:
        return "no stack has a cache"
    if "attend_linearly" in kinds:
        return "the cache of linear attention has a fixed size already"
    if "recur" in kinds:
        return "the state of a recurrence has a fixed size already"
    return ""
