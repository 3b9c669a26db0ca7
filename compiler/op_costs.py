"""The costs of each op of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .count import Lengths, attends, layers_of
from .density import density
from .formula import Formula, HeadFormulas, Range, plain
from .graph import ModuleGraph, Op
from .ops import OPS
from .ops.sums import chunk_letters
from .rows import Rows
from .stack_lengths import turn_of

LONGEST = 1024


@dataclass(frozen=True)
class OpCosts:
    """Costs by op number, summed over all layers that run it.

    weights  parameters; tied and shared ones once
    flops    of one forward pass with `sequence` tokens, without masked scores
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


def op_costs(graph: ModuleGraph, sequence: int | None = None, batch: int = 1) -> OpCosts:
    """The costs of all ops for `sequence` tokens (by default as in `report`)."""
    length = default_sequence(graph) if sequence is None else sequence
    at = lengths_at(graph, batch, length)
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


def default_sequence(graph: ModuleGraph) -> int:
    """The smallest `max_positions`, at most 1024; for images, the number of tokens.

    Of interleaved inputs, whose positions are those of steps, as many tokens as make whole steps.
    """
    if graph.decided():
        return int(list(graph.lengths.values())[-1])
    limits = [
        turn_of(graph, name) * (stack.max_positions or LONGEST)
        for name, stack in graph.stack_facts.items()
    ]
    length, turn = min(LONGEST, *limits), whole_step(graph)
    return max(turn, length - length % turn)


def whole_step(graph: ModuleGraph) -> int:
    """The number of tokens of a step of interleaved inputs, one of each; 1 without any."""
    return math.lcm(*(turn_of(graph, name) for name in graph.stack_facts))


def not_whole(graph: ModuleGraph, length: int) -> str:
    """Why no sequence of a model with interleaved inputs has so many tokens; "" if one has."""
    step = whole_step(graph)
    return f"{step} interleaved inputs have a multiple of {step} tokens" if length % step else ""


def lengths_at(graph: ModuleGraph, batch: int, length: int) -> dict[str, int]:
    """Values of the letters in costs if every stack has `length` tokens."""
    found = {"B": batch, **dict.fromkeys("TSM", length), **chunk_letters(length)}
    for op in graph.ops():
        if op.kind == "global_places":
            found[op.attrs["dim"].label] = global_tokens(op.attrs["ranges"], length)
    return found


def global_tokens(ranges: tuple[Range, ...], length: int) -> int:
    """How many of `length` tokens are in these ranges; without those of `global_mask`."""
    rows, found = Rows(length), 0
    for each in ranges:
        found |= rows.run(*rows.ends(each))
    return found.bit_count()


def mask_density(formula: Formula | HeadFormulas, length: int) -> float:
    """The density of a mask; for a list of masks, the mean."""
    parts = formula if isinstance(formula, tuple) else (formula,)
    return sum(density(plain(part), length) for part in parts) / len(parts)
