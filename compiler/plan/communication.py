"""Bytes that one device sends in a training step, for a layout.

Collectives over n devices are rings: an all-reduce of X bytes sends 2 (n - 1) / n X per device, an
all-gather and a reduce-scatter (n - 1) / n X (Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce
algorithms for clusters of workstations").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..cost import elements
from ..costs import BYTES
from ..count import Lengths, layers_of
from ..graph import ModuleGraph
from ..op_costs import lengths_at
from .layout import Layout
from .memory import STORED, Sizes, stored
from .split import Split


@dataclass(frozen=True)
class Transfer:
    """A kind of collective of one step.

    what      what is sent
    kind      all-reduce, all-gather or reduce-scatter
    devices   number of devices that take part
    bytes     sent by each device in one step
    formula   bytes, in letters
    overlaps  whether it runs while the device computes
    """

    what: str
    kind: str
    devices: int
    bytes: float
    formula: str
    overlaps: bool


def transfers(
    graph: ModuleGraph, layout: Layout, split: Split, sizes: Sizes, passes: int
) -> Iterator[Transfer]:
    """The collectives of a step of `passes` micro-batches."""
    yield from of_data(graph, layout, split, sizes, passes)
    if layout.tensor > 1:
        yield of_tensors(graph, split, sizes, passes)


def of_data(
    graph: ModuleGraph, layout: Layout, split: Split, sizes: Sizes, passes: int
) -> Iterator[Transfer]:
    """Gradients, and the weights that FSDP gathers.

    FSDP gathers the weights of layers in the forward and in the backward pass, others once. It sums
    gradients in float32, in each micro-batch.
    """
    count, n = stored(graph, layout, split), layout.data
    ring, width = (n - 1) / n, BYTES[sizes.precision]
    if n == 1:
        return
    if not layout.sharded:
        sent = 2 * ring * STORED * count.trained
        yield Transfer("gradients", "all-reduce", n, sent, "2 (n - 1) / n * 4 P", overlaps=True)
        return
    gathered = passes * ring * width * (2 * count.inside + count.outside)
    formula = f"A (n - 1) / n * {width} (2 P_layers + P_other)"
    yield Transfer("weights", "all-gather", n, gathered, formula, overlaps=True)
    reduced = passes * ring * STORED * count.trained
    formula = "A (n - 1) / n * 4 P"
    yield Transfer("gradients", "reduce-scatter", n, reduced, formula, overlaps=True)


def of_tensors(graph: ModuleGraph, split: Split, sizes: Sizes, passes: int) -> Transfer:
    """Activations: an all-reduce after each row-wise layer, and in the backward pass one for each
    input of column-wise layers. With recomputation, the former are repeated.
    """
    at, lengths = lengths_at(graph, sizes.micro, sizes.sequence), Lengths(graph)
    forward = 2 if sizes.recompute else 1

    def size(number: int, value: str) -> float:
        op = graph.op(number)
        return layers_of(graph, op) * elements(lengths.values(op)[value].shape).at(**at)

    total = 0.0
    for region in split.regions:
        (out,) = graph.op(region.row).outputs
        total += forward * size(region.row, out)
        for value in sorted(region.inputs):
            reader = next(n for n in sorted(region.columns) if graph.op(n).arg("x") == value)
            total += size(reader, value)
    for number in split.vocabulary:
        op = graph.op(number)
        embeds = op.kind == "embedding"
        total += size(number, op.outputs[0] if embeds else op.arg("x"))
    n, width = split.size, BYTES[sizes.precision]
    sent = passes * 2 * (n - 1) / n * width * total
    formula = f"A 2 (t - 1) / t * {width} X"
    return Transfer("activations", "all-reduce", n, sent, formula, overlaps=False)
