"""Which heads and hidden units of a model can be removed, from its graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layer_names import Layer, layers_by_stack

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..compiler.graph import Op


@dataclass(frozen=True)
class Prunable:
    """Units that are removed together with their weights.

    name     the linear layer that reads them, such as `layers.3.attention.output`
    prefix   name of the module with all weights of the units: `layers.3.attention`
    kind     heads or d_ff
    layer    stack and index of its layer
    place    keys of its branch in the block of the spec, such as `cross_attention`
    units    number of units: groups of query heads with one key-value head, or hidden units
    size     query heads of a group; 1 for hidden units
    widths   of a head's queries and values
    halved   linear layers with two vectors per head, first one of all heads and then the other
    """

    name: str
    prefix: str
    kind: str
    layer: Layer
    place: tuple[str | int, ...]
    units: int
    size: int = 1
    widths: tuple[int, int] = (0, 0)
    halved: tuple[str, ...] = ()


def prunable(graph: ModuleGraph) -> dict[Layer, list[Prunable]]:
    """Layer -> what can be removed in it.

    Raises TrainingError for a model with shared layers.
    """
    found: dict[Layer, list[Prunable]] = {at: [] for at in layers_by_stack(graph, "pruning")}
    for op in graph.ops():
        block = graph.block_of(op.scope)
        if op.kind != "linear" or block is None:
            continue
        for index in block.layer_indices:
            prefix = graph.scopes[op.scope].weights.replace("{layer}", str(index))
            layer, place = (block.stack, index), op.origin[len(block.origin) :]
            for kind, units, size, widths in _units(graph, op):
                halved = _halved(graph, op.scope) if kind == "heads" else ()
                name = f"{prefix}.{op.name}"
                made = Prunable(
                    name, prefix, kind, layer, place, units, size, widths=widths, halved=halved
                )
                found[layer].append(made)
    return found


def _units(graph: ModuleGraph, op: Op) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    """Kind, number, size and widths of the units that a residual projection reads."""
    if not op.weights[0].initial.residual:
        return
    value = op.first
    while (source := graph.producer(value)) is not None and source.scope == op.scope:
        if source.kind == "attend":
            (heads, width), (groups, _), (_, value_width) = (
                _heads(graph, source.arg(slot)) for slot in "qkv"
            )
            yield "heads", groups, heads // groups, (width, value_width)
            return
        if source.kind == "linear":
            yield "d_ff", int(op.weights[0].shape[1]), 1, (0, 0)
            return
        value = source.first


def bias_tables(graph: ModuleGraph) -> dict[tuple[Layer, str], str]:
    """Names of the tables of position biases, by layer and attention that reads them. Several
    layers may read one table (T5).
    """
    found: dict[tuple[Layer, str], str] = {}
    for op in graph.ops():
        block = graph.block_of(op.scope)
        if op.kind != "attend" or block is None:
            continue
        attention = graph.scopes[op.scope].weights
        for number, table in enumerate(_tables_of(graph, op.arg("bias"))):
            prefix = graph.scopes[table.scope].weights
            name = ".".join(filter(None, [prefix, table.name, table.weights[0].name]))
            for index in block.layer_indices:
                place = (block.stack, index), f"{attention} {number}"
                found[place] = name.replace("{layer}", str(index))
    return found


def _tables_of(graph: ModuleGraph, value: str) -> Iterator[Op]:
    """The ops with weights from which the bias of scores is computed."""
    source = graph.producer(value)
    if source is not None and source.weights:
        yield source
    elif source is not None and source.kind != "attend":
        for read in source.inputs:
            yield from _tables_of(graph, read)


def _halved(graph: ModuleGraph, scope: str) -> tuple[str, ...]:
    """The linear layers of a scope whose heads are halved, as in differential attention."""
    found = []
    for op in graph.ops():
        if op.kind == "half_heads" and op.scope == scope:
            while op.kind != "linear":
                source = graph.producer(op.first)
                assert source is not None
                op = source
            found.append(op.name)
    return tuple(found)


def _heads(graph: ModuleGraph, value: str) -> tuple[int, int]:
    """Number and width of the heads of queries, keys or values, (B, H, T, E)."""
    _, heads, _, width = (dim.size for dim in graph.values[value].shape)
    assert heads is not None
    assert width is not None
    return int(heads), int(width)
