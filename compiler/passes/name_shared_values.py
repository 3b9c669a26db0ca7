"""Distinguish values that several kinds of layers use under one name.

mask, mask       ->    local_mask, global_mask        (if the kinds differ)
cos              ->    cos                            (if all kinds use one table)

A kind that an override made has no part in a name if the kind that it changes has.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ..graph import ModuleGraph

SHARED = {
    "add",
    "mask",
    "head_masks",
    "global_rows",
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
        users = {value: _kinds(graph, value) for value in values}
        if len({kinds for kinds in users.values() if kinds}) <= 1:
            continue
        for value in values:
            if users[value]:
                prefix = "_and_".join(users[value])
                graph.values[value] = replace(
                    graph.values[value], name=f"{prefix}_{name}", base=name
                )
    return graph


def _kinds(graph: ModuleGraph, value: str) -> tuple[str, ...]:
    """The kinds of block that use this value, directly or through another shared value."""
    found: list[str] = []
    for op in graph.consumers(value):
        if op.kind == "layer_input":
            continue  # the hidden states
        block = graph.block_of(op.scope)
        if block is not None:
            found.append(block.name)
        elif op.kind in SHARED:
            found.extend(kind for output in op.outputs for kind in _kinds(graph, output))
    return tuple(kind for kind in dict.fromkeys(found) if _changed(graph, value, kind) not in found)


def _changed(graph: ModuleGraph, value: str, kind: str) -> str:
    """The kind that an override changed into this one; "" if none did."""
    layers = next((s for s in graph.children(graph.scope_of(value)) if s.role == "layers"), None)
    if layers is None or layers.rule is None:
        return ""
    pairs = [pair for override in layers.rule.overrides for pair in override.becomes]
    return next((before for before, after in pairs if after == kind != before), "")
