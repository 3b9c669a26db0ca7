"""Decide which layers keep only the last keys and values: those whose mask is a window.

    k, v = cache(k, v)                    ->    the same, `kept` = window - 1
    mask = mask(causal & window(512))     ->    the same, `kept` = window - 1

`kept` is the number of previous tokens that a query may see. The mask is then one of these and the
new tokens. Nothing else may depend on how many tokens there were: neither atoms that count from
the beginning (`global`, `fixed`, `blocks`) nor a bias.
"""

from __future__ import annotations

from ..graph import ModuleGraph, Op
from ..reach import Bound, is_relative, most, reach


def bound_caches(graph: ModuleGraph) -> ModuleGraph:
    """Write the number of previous tokens on masks and caches that are bounded."""
    graph = graph.copy()
    for mask in graph.ops():
        if mask.kind != "mask" or mask.attrs["memory"]:
            continue
        kept, caches = previous(graph, mask), caches_of(graph, mask)
        if kept is None or not caches or not mask.arg("attention_mask"):
            continue  # a static cache hides its empty slots as padding
        for op in (mask, *caches):
            graph.replace_op(op.number, attrs={**op.attrs, "kept": kept})
    return graph


def previous(graph: ModuleGraph, mask: Op) -> Bound:
    """The number of previous tokens that a query may see; None if a cache keeps them all."""
    formula = mask.attrs["formula"]
    found = reach(formula)
    if not is_relative(formula) or found.left is None or found.right != 0:
        return None
    limit = graph.limits.get(mask.attrs["stack"])
    covers = limit is not None and most(found.left) + 1 >= limit
    return None if covers else found.left


def caches_of(graph: ModuleGraph, mask: Op) -> list[Op]:
    """The caches whose keys this mask alone admits; none if others depend on all tokens."""
    found = []
    for user in graph.consumers(mask.outputs[0]):
        ops = graph.ops(user.scope)
        caches = [op for op in ops if op.kind == "cache"]
        attends = [op for op in ops if op.kind == "attend" and op.arg("mask") != mask.outputs[0]]
        if user.kind != "attend" or user.arg("bias") or len(caches) != 1 or attends:
            return []
        found += caches
    return found
