"""Which heads and hidden units of a model can be removed, from its graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layer_names import layer_names

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..compiler.graph import Op


@dataclass(frozen=True)
class Prunable:
    """Units that are removed together with their weights.

    name     the linear layer that reads them, such as `layers.3.attention.output`
    prefix   name of the module with all weights of the units: `layers.3.attention`
    kind     heads or d_ff
    units    number of units: groups of query heads with one key-value head, or hidden units
    size     query heads of a group; 1 for hidden units
    """

    name: str
    prefix: str
    kind: str
    units: int
    size: int = 1


def prunable(graph: ModuleGraph) -> dict[int, list[Prunable]]:
    """Layer -> what can be removed in it.

    Raises TrainingError for a model with several stacks or shared layers.
    """
    found: dict[int, list[Prunable]] = {n: [] for n, _ in enumerate(layer_names(graph, "pruning"))}
    for op in graph.ops():
        block = graph.block_of(op.scope)
        if op.kind != "linear" or block is None:
            continue
        for layer in block.layer_indices:
            prefix = graph.scopes[op.scope].weights.replace("{layer}", str(layer))
            for kind, units, size in _units(graph, op):
                made = Prunable(f"{prefix}.{op.name}", prefix, kind, units, size)
                found[layer].append(made)
    return found


def _units(graph: ModuleGraph, op: Op) -> Iterator[tuple[str, int, int]]:
    """Kind, number and size of the units that a residual projection reads."""
    if not op.weights[0].initial.residual:
        return
    value = op.first
    while (source := graph.producer(value)) is not None and source.scope == op.scope:
        if source.kind == "attend":
            heads, groups = (_heads(graph, source.arg(slot)) for slot in ("q", "k"))
            yield "heads", groups, heads // groups
            return
        if source.kind == "linear":
            yield "d_ff", int(op.weights[0].shape[1]), 1
            return
        value = source.first


def _heads(graph: ModuleGraph, value: str) -> int:
    """Number of heads of queries or keys, (B, H, T, E)."""
    size = graph.values[value].shape[1].size
    assert size is not None
    return int(size)
