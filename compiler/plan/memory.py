"""Memory of one device in training, for a layout.

Weights, gradients and the optimizer state are those of `modelwright train`: float32, also where the
computation is in bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ..costs import BYTES
from ..graph import ModuleGraph, Op, Weight
from ..kept import kept_by_training
from ..op_costs import lengths_at
from ..report import in_bytes
from ..tile_counts import TileCounts
from .layout import Layout
from .split import Split

STORED = 4
"""Bytes of a weight, of its gradient, and of each number of the optimizer state."""


@dataclass(frozen=True)
class Memory:
    """Bytes on the device that has most.

    weights      its part of the weights
    gradients    of the same weights
    optimizer    two numbers per weight for AdamW; one for the matrices of Muon
    activations  saved for the backward pass of one micro-batch
    working      weights gathered by FSDP and their gradients, or copies of weights in bfloat16
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.working


@dataclass(frozen=True)
class Stored:
    """Numbers of weights of one tensor-parallel device.

    weights         all
    trained         those with a gradient
    local           weights after FSDP's division by rows
    local_trained   of these, those with a gradient
    local_matrices  of these, matrices inside layers
    outside         weights outside of layers
    layer           weights of the largest layer
    inside          weights of all layers
    """

    weights: int
    trained: int
    local: int
    local_trained: int
    local_matrices: int
    outside: int
    layer: int
    inside: int


def weights_of(graph: ModuleGraph) -> Iterator[tuple[Op, Weight, int, str]]:
    """Each stored weight: its op, the weight, the number of copies, and its kind of layer."""
    for op in graph.ops():
        block = graph.block_of(op.scope)
        for weight in op.weights:
            if not weight.tied:
                copies = 1 if block is None else len(block.stored)
                yield op, weight, copies, "" if block is None else block.path


def stored(graph: ModuleGraph, layout: Layout, split: Split) -> Stored:
    """Count the weights. FSDP gives each device `ceil(rows / shards)` rows of each weight."""
    sums = dict.fromkeys(("weights", "trained", "local", "local_trained", "local_matrices"), 0)
    layers: dict[str, int] = {}
    outside = inside = 0
    for op, weight, copies, layer in weights_of(graph):
        shape = split.shape(op, weight)
        count = prod(shape)
        local = -(-shape[0] // layout.shards) * prod(shape[1:])
        sums["weights"] += copies * count
        sums["local"] += copies * local
        if weight.trained:
            sums["trained"] += copies * count
            sums["local_trained"] += copies * local
            sums["local_matrices"] += copies * local * (layer != "" and len(shape) == 2)
        if layer:
            layers[layer] = layers.get(layer, 0) + count
            inside += copies * count
        else:
            outside += count
    return Stored(**sums, outside=outside, inside=inside, layer=max(layers.values(), default=0))


@dataclass(frozen=True)
class Sizes:
    """What a device computes at once.

    micro      samples of one forward pass
    sequence   tokens of a sample
    precision  data type of the computation: float32 or bfloat16
    optimizer  adamw or muon
    recompute  whether layers are computed again in the backward pass
    fused      whether attention is one fused kernel, as on GPUs
    """

    micro: int
    sequence: int
    precision: str
    optimizer: str
    recompute: bool
    fused: bool = True


def memory_of(
    graph: ModuleGraph, layout: Layout, split: Split, sizes: Sizes, tiles: TileCounts
) -> Memory:
    """The memory of one device. tiles: counts for `sizes.sequence`."""
    count = stored(graph, layout, split)
    states = 2 * count.local_trained
    if sizes.optimizer == "muon":
        states -= count.local_matrices
    return Memory(
        weights=STORED * count.local,
        gradients=STORED * (count.local_trained + undivided(graph, layout, split)),
        optimizer=STORED * states,
        activations=activations(graph, split, sizes, tiles),
        working=working(count, layout, sizes.precision),
    )


def undivided(graph: ModuleGraph, layout: Layout, split: Split) -> int:
    """Numbers of gradients that other devices have, too: torch computes the gradient of a divided
    token embedding in full. With FSDP, and if a head has the same weight, only a part is kept.
    """
    ops = [graph.op(number) for number in split.vocabulary]
    if layout.sharded or any(weight.tied for op in ops for weight in op.weights):
        return 0
    tables = [(op, op.weights[0]) for op in ops if op.kind == "embedding"]
    return sum(
        prod(int(size) for size in weight.shape) - prod(split.shape(op, weight))
        for op, weight in tables
        if weight.trained
    )


def activations(graph: ModuleGraph, split: Split, sizes: Sizes, tiles: TileCounts) -> int:
    """Bytes saved for the backward pass, including the loss."""
    at = lengths_at(graph, sizes.micro, sizes.sequence)
    kept = kept_by_training(
        graph,
        fused=sizes.fused,
        narrow=BYTES[sizes.precision] < 4,
        single=sizes.micro == 1,
        checkpointed=sizes.recompute,
        tiles=tiles,
        parts=dict.fromkeys(split.values(graph), split.size),
    )
    again = max((in_bytes(one, at, sizes.precision) for one in kept.layers), default=0)
    return in_bytes(kept.total, at, sizes.precision) + (again if sizes.recompute else 0)


def working(count: Stored, layout: Layout, precision: str) -> int:
    """Bytes of weights in the form in which they are used.

    FSDP gathers a layer and the next one, and sums the gradients of a layer; weights outside of
    layers stay gathered. In bfloat16, each device without FSDP has a copy of its weights.
    """
    width = BYTES[precision]
    if layout.sharded:
        return width * (2 * (count.outside + count.layer) + count.layer)
    return width * count.weights if precision == "bfloat16" else 0
