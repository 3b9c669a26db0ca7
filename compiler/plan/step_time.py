"""The time of a training step by a roofline (Williams, Waterman & Patterson 2009, "Roofline").

A step takes as long as the slowest of what runs at the same time: matrix products, reading and
writing memory, and communication that overlaps with both; plus communication that does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..costs import BYTES
from ..graph import ModuleGraph
from ..op_costs import op_costs
from .communication import Transfer
from .devices import Device
from .layout import Layout
from .memory import STORED, Memory, Sizes, stored
from .split import Split

FORWARD_AND_BACKWARD = 3
"""FLOPs of a step, in forward passes (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step of one device.

    compute    matrix products
    memory     reading weights and activations, and the optimizer
    overlapped communication that overlaps with both
    waiting    communication that does not
    """

    compute: float
    memory: float
    overlapped: float
    waiting: float

    @property
    def total(self) -> float:
        return max(self.compute, self.memory, self.overlapped) + self.waiting

    @property
    def bound(self) -> str:
        """What limits the speed."""
        if self.waiting > self.total / 2:
            return "communication"
        times = {
            "compute": self.compute,
            "memory": self.memory,
            "communication": self.overlapped,
        }
        return max(times, key=lambda name: times[name])


def flops_per_sample(graph: ModuleGraph, split: Split, sequence: int) -> tuple[float, float]:
    """FLOPs of a forward pass of one sample: of the model, and of one tensor-parallel device."""
    flops = op_costs(graph, sequence).flops
    divided = {op.number for op in graph.ops() if split.divides(op)}
    own = sum(cost / (split.size if n in divided else 1) for n, cost in flops.items())
    return sum(flops.values()), own


def step_time(
    graph: ModuleGraph,
    layout: Layout,
    split: Split,
    sizes: Sizes,
    passes: int,
    device: Device,
    mfu: float,
    memory: Memory,
    sent: Sequence[Transfer],
) -> StepTime:
    """The time of a step of `passes` micro-batches.

    mfu: fraction of the peak that matrix products reach
    """
    times = FORWARD_AND_BACKWARD + sizes.recompute
    own = flops_per_sample(graph, split, sizes.sequence)[1]
    count = stored(graph, layout, split)
    read = passes * (times * BYTES[sizes.precision] * count.weights + 2 * memory.activations)
    read += 2 * (memory.weights + memory.optimizer) + STORED * count.local_trained
    seconds = {True: 0.0, False: 0.0}
    for each in sent:
        seconds[each.overlaps] += each.bytes / bandwidth(each, layout, device)
    return StepTime(
        compute=times * own * sizes.micro * passes / (mfu * device.peak[sizes.precision]),
        memory=read / device.read,
        overlapped=seconds[True],
        waiting=seconds[False],
    )


def bandwidth(transfer: Transfer, layout: Layout, device: Device) -> float:
    """Bytes per second of a ring: that of its slowest link.

    Devices of a tensor-parallel group are neighbours, so a group that fits into a node uses its
    links; the groups of a layout with several nodes use the network.
    """
    spread = transfer.devices * (layout.tensor if transfer.overlaps else 1)
    return device.link if spread <= device.node else min(device.link, device.network)
