"""What each op of a model costs: the report's sums, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from .count import Lengths, attends, layers_of
from .graph import ModuleGraph, Op
from .ops import OPS
from .report import default_sequence, lengths_at, mask_density


@dataclass(frozen=True)
class OpCosts:
    """By the number of an op, in all layers that run it together.

    weights   numbers stored; ties and shared layers once
    flops     of one forward of one sequence of `sequence` tokens, without what masks forbid
    """

    sequence: int
    weights: dict[int, int]
    flops: dict[int, float]

    def of(self, ops: list[Op]) -> tuple[int, float]:
        """Weights and FLOPs of several ops."""
        numbers = [op.number for op in ops]
        return sum(self.weights[n] for n in numbers), sum(self.flops[n] for n in numbers)

    @property
    def total(self) -> tuple[int, float]:
        return sum(self.weights.values()), sum(self.flops.values())


def op_costs(graph: ModuleGraph, sequence: int | None = None) -> OpCosts:
    """The costs of every op, for `sequence` tokens (as in `report`, at most 1024 by default)."""
    length = default_sequence(graph) if sequence is None else sequence
    at = lengths_at(1, length)
    lengths = Lengths(graph)
    weights: dict[int, int] = {}
    flops: dict[int, float] = {}
    for op in graph.ops():
        own = sum(weight.count for weight in op.weights if not weight.tied)
        block = graph.block_of(op.scope)
        weights[op.number] = own * (1 if block is None else len(block.stored))
        if op.kind != "attend":
            cost = OPS[op.kind].flops(op, lengths.values(op))
            flops[op.number] = layers_of(graph, op) * cost.at(**at)
    for attend in attends(graph):
        share = mask_density(attend.op.attrs["formula"], length)
        flops[attend.op.number] = attend.flops.at(**at) * share
    return OpCosts(length, weights, flops)
