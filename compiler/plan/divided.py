"""The modules that tensor parallelism divides, by name: for `parallel.py` and exported folders."""

from __future__ import annotations

from math import gcd
from typing import Any

from ..graph import ModuleGraph
from .split import Region, divisible

Divided = tuple[str, tuple[str, ...], str, int]
"""Module, its column-wise layers, its row-wise layer, and its number of heads or hidden units."""


def tensor_slots(graph: ModuleGraph) -> dict[str, Any]:
    """The constants of `emitted/parallel.py` that say what is divided."""
    split = divisible(graph)
    made: dict[tuple[str, tuple[str, ...], str], int] = {}
    tables: dict[tuple[str, str], None] = {}
    shared: dict[tuple[str, str], None] = {}
    for region in split.regions:
        for key in _keys(graph, region, split.axes):
            made[key] = gcd(made.get(key, 0), region.units)
            found = (_template(graph, number) for number in sorted(region.tables))
            tables |= dict.fromkeys((table, key[0]) for table in found)
            norms = [n for n in sorted(region.inner) if graph.op(n).weights]
            names = (_template(graph, n).replace("{layer}", "*") for n in norms)
            shared |= dict.fromkeys((name, key[0]) for name in names)
    words = [graph.op(number) for number in split.vocabulary]
    embeddings = [_template(graph, op.number) for op in words if op.kind == "embedding"]
    heads = [op for op in words if op.kind == "linear"]
    divided = tuple((*key, units) for key, units in made.items())
    return {
        "DIVIDED": divided,
        "TABLES": tuple(tables),
        "SHARED": tuple(shared),
        "EMBEDDINGS": tuple(dict.fromkeys(embeddings)),
        "HEADS": tuple(_template(graph, op.number) for op in heads if not op.weights[0].tied),
        "TIED": any(op.weights[0].tied for op in heads),
        "WHOLE": split.replicated,
    }


def _keys(
    graph: ModuleGraph, region: Region, axes: dict[int, int]
) -> list[tuple[str, tuple[str, ...], str]]:
    """The module of a region with its layers; `*` stands for all layers that have such a module.

    If another kind of layer has a module of the same name that cannot be divided, one for each
    layer.
    """
    row = _template(graph, region.row)
    module = row.rpartition(".")[0]
    names = [_template(graph, number) for number in sorted(region.columns)]
    columns = tuple(name.removeprefix(f"{module}.") for name in names)
    used = {row, *names}
    alike = [op for op in graph.ops() if op.weights and _template(graph, op.number) in used]
    block = graph.block_of(graph.op(region.row).scope)
    assert block is not None
    numbers: list[Any] = ["*"] if all(op.number in axes for op in alike) else list(block.stored)
    last = row.rpartition(".")[2]
    return [(module.replace("{layer}", str(number)), columns, last) for number in numbers]


def _template(graph: ModuleGraph, number: int) -> str:
    """The name of the module of an op, with `{layer}` in layers."""
    op = graph.op(number)
    return f"{graph.scopes[op.scope].weights}.{op.name}".lstrip(".")
