"""Draw a sum that only a norm reads together with it: `Add & LayerNorm`."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph
from .part import Part, Region


def join_sums(
    graph: ModuleGraph, regions: dict[str, Region], by_key: dict[str, Part]
) -> dict[str, str]:
    """Merge norms in layers with the sums below them. Returns sum -> merged part."""
    found: dict[str, str] = {}
    for region in regions.values():
        scope = graph.scopes.get(region.path)
        if scope is None or scope.role != "block":
            continue
        for norm in list(region.parts):
            below = _sum_below(regions[norm.region], by_key, norm)
            ends = [leave for _, leave in scope.carries]  # what later layers read
            if below is not None and not any(v in ends for op in below.ops for v in op.outputs):
                norm.title = f"Add & {norm.title}"
                norm.inputs, norm.outside = below.inputs, below.outside
                norm.ops += below.ops
                region.parts.remove(below)
                del by_key[below.key]
                found[below.key] = norm.key
    return found


def _sum_below(region: Region, by_key: dict[str, Part], norm: Part) -> Part | None:
    """The sum of two values that only this norm reads."""
    if norm.form != "box" or norm.look != "norm" or len(norm.inputs) != 1 or norm.outside:
        return None
    (source,) = norm.inputs
    below = by_key[source]
    readers = [part for part in region.parts if below.key in part.inputs]
    alone = below.title == "+" and len(below.inputs) == 2 and readers == [norm]
    return below if alone and below.region == norm.region else None
