"""Distinguish values that several kinds of layers use under one name.

mask, mask       ->    local_mask, global_mask        (if the kinds differ)
mask, mask       ->    attention1_mask, attention2_mask   (if the branches of a block differ)
cos              ->    cos                            (if all kinds use one table)

A kind that an override made has no part in a name if the kind that it changes has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from ..graph import ModuleGraph

SHARED = {
    "add",
    "mask",
    "head_masks",
    "global_rows",
    "global_places",
    "rope_table",
    "grid_rope_table",
    "sharpness",
    "alibi",
    "relative_buckets",
    "grid_offsets",
    "relative_bias",
    "relative_places",
    "sinusoid",
    "table",
    "layer_norm",
    "rms_norm",
    "masked_bias",
}


def name_shared_values(graph: ModuleGraph) -> ModuleGraph:
    graph = graph.copy()
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for op in graph.ops():
        if op.kind in SHARED and graph.layers_of(op.scope) is None:
            for value in op.outputs:
                groups[op.scope, graph.values[value].name].append(value)
    for (_, name), values in groups.items():
        if not name:
            continue
        used = {value: names for value in values if (names := _users(graph, value))}
        prefixes = _prefixes(used)
        for value, prefix in prefixes.items():
            graph.values[value] = replace(graph.values[value], name=f"{prefix}_{name}", base=name)
    return graph


User = tuple[str, str]
"""A kind of block, and a branch of it that has a module."""


def _prefixes(used: dict[str, tuple[User, ...]]) -> dict[str, str]:
    """What tells apart values of one name: their kinds of blocks, or else their branches too."""
    kinds = {value: _joined(kind for kind, _ in users) for value, users in used.items()}
    if len({*kinds.values()}) == len(used) > 1:
        return kinds
    branches = {value: _joined(branch for _, branch in users) for value, users in used.items()}
    several = len({*kinds.values()}) > 1
    if len({*branches.values()}) <= 1:
        return kinds if several else {}
    return {v: f"{kinds[v]}_{branches[v]}" for v in used} if several else branches


def _joined(names: Iterable[str]) -> str:
    return "_and_".join(dict.fromkeys(names))


def _users(graph: ModuleGraph, value: str) -> tuple[User, ...]:
    """What uses this value, directly or through another shared value."""
    found: list[User] = []
    for op in graph.consumers(value):
        if op.kind == "layer_input":
            continue  # the hidden states
        block = graph.block_of(op.scope)
        if block is not None:
            branch = op.scope.removeprefix(block.path).strip(".").partition(".")[0]
            found.append((block.name, branch))
        elif op.kind in SHARED:
            found.extend(user for output in op.outputs for user in _users(graph, output))
    kinds = {kind for kind, _ in found}
    kept = [user for user in found if _changed(graph, value, user[0]) not in kinds]
    return tuple(dict.fromkeys(kept))


def _changed(graph: ModuleGraph, value: str, kind: str) -> str:
    """The kind that an override changed into this one; "" if none did."""
    layers = next((s for s in graph.children(graph.scope_of(value)) if s.role == "layers"), None)
    if layers is None or layers.rule is None:
        return ""
    pairs = [pair for override in layers.rule.overrides for pair in override.becomes]
    return next((before for before, after in pairs if after == kind != before), "")
