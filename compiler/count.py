"""Costs of a graph as sums over its ops: weights by part, FLOPs.

An op below a `layers` scope counts once for each layer of its kind (its weights: once for each
stored module), so the cost of counting does not grow with the depth.

Lengths are letters: T new tokens and S tokens seen by a stack that decodes, M the tokens of a stack
that is read as a memory (there, T is the same length and written M).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from .axes import Dim, M, Shape
from .cost import Poly, elements
from .graph import ModuleGraph, Op, Value
from .ops import OPS

PARTS = ("embedding", "positions", "attention", "feed_forward", "norm", "head", "other")
BRANCHES = {
    "attention": "attention",
    "cross_attention": "attention",
    "feed_forward": "feed_forward",
}
TABLES = {
    "position_embedding": "positions",
    "relative_embedding": "positions",
    "embedding_projection": "embedding",
}


@dataclass(frozen=True)
class Attend:
    """One attend op: where it stands, which layers it runs in, what it costs with every pair."""

    scope: str
    layers: tuple[int, ...]
    formula: str
    kernel: str
    reason: str
    op: Op
    flops: Poly
    scores: Poly  # B * H * T * S of all its layers
    crosses: bool  # reads a memory


def part_of(graph: ModuleGraph, op: Op) -> str:
    """Which part of the report an op counts under: a branch's or a head's is its own, first."""
    if op.origin[:1] == ("heads",):
        return "head"
    row = OPS[op.kind]
    if row.part == "positions":
        return "positions"
    for name in op.scope.split("."):
        if name in BRANCHES:
            return BRANCHES[name]
    for ending, part in TABLES.items():  # in front of it may stand the block that asks for it
        if op.name.endswith(ending):
            return part
    return row.part if row.part in PARTS else "other"


def layers_of(graph: ModuleGraph, op: Op) -> int:
    """How many layers run an op."""
    block = graph.block_of(op.scope)
    return 1 if block is None else len(block.layer_indices)


def stored_layers(graph: ModuleGraph, stack: str) -> int:
    """How many layers of a stack have weights of their own."""
    scopes = [s for s in graph.scopes.values() if s.role == "layers" and s.stack == stack]
    return len({module for scope in scopes for module in scope.modules})


def weights_by_part(graph: ModuleGraph) -> dict[str, int]:
    """How many numbers each part stores. A tied weight counts where it is stored, once."""
    counts = dict.fromkeys(PARTS, 0)
    for op in graph.ops():
        own = sum(weight.count for weight in op.weights if not weight.tied)
        if own:
            block = graph.block_of(op.scope)
            stored = 1 if block is None else len(block.stored)
            counts[part_of(graph, op)] += own * stored
    return counts


def active_weights(graph: ModuleGraph) -> int:
    """How many of the stored numbers serve one token: all but the experts that it did not choose.

    Every expert is as large as the others, so no choice has to be known.
    """
    total = 0
    for op in graph.ops():
        own = sum(weight.count for weight in op.weights if not weight.tied)
        if own:
            block = graph.block_of(op.scope)
            stored = 1 if block is None else len(block.stored)
            share = Fraction(op.attrs.get("top_k", 1), op.attrs.get("experts", 1))
            total += int(own * stored * share)
    return total


def flops_by_part(graph: ModuleGraph) -> dict[str, Poly]:
    """The FLOPs of each part in one forward, without the attend ops."""
    lengths = Lengths(graph)
    totals = dict.fromkeys(PARTS, Poly())
    for op in graph.ops():
        if op.kind != "attend":
            cost = OPS[op.kind].flops(op, lengths.values(op))
            part = part_of(graph, op)
            totals[part] = totals[part] + layers_of(graph, op) * cost
    return totals


def attends(graph: ModuleGraph) -> Iterator[Attend]:
    """Every attend op, in the order in which they run."""
    lengths = Lengths(graph)
    for op in graph.ops():
        if op.kind != "attend":
            continue
        block = graph.block_of(op.scope)
        layers = block.layer_indices if block is not None else (0,)
        values = lengths.values(op)
        query, key = (values[op.arg(slot)].shape for slot in ("q", "k"))
        pairs = elements(query[:-1]) * elements(key[-2:-1])
        yield Attend(
            scope=op.scope,
            layers=layers,
            formula=str(op.attrs["formula"]),
            kernel=op.attrs.get("kernel", ""),
            reason=op.attrs.get("reason", ""),
            op=op,
            flops=len(layers) * OPS["attend"].flops(op, values),
            scores=len(layers) * pairs,
            crosses=lengths.crosses(op),
        )


class Lengths:
    """Which letter the length of a value has, seen from the whole model.

    A stack whose input decides how many tokens it has (an image) has that number instead.
    """

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self.memories = {read for stack in graph.stack_facts.values() for read in stack.reads}
        self.of_heads = _read_by_heads(graph)

    def of_memory(self, op: Op) -> bool:
        """Is everything that this op computes as long as a memory?"""
        scope = self.graph.scopes[op.scope]
        return scope.stack in self.memories or scope.role == "method"

    def crosses(self, op: Op) -> bool:
        """Does an attend read keys that another stack's tokens gave?"""
        producer = self.graph.producer(op.arg("k"))
        return producer is not None and self.graph.scopes[producer.scope].role == "method"

    def values(self, op: Op) -> dict[str, Value]:
        """The values that an op touches, with M for the length of what belongs to a memory."""
        touched = {name: self.graph.values[name] for name in (*op.inputs, *op.outputs) if name}
        head = self.of_heads.get(op.number, "")
        if head in self.graph.lengths:
            touched = {name: _measured(each, self.length(head)) for name, each in touched.items()}
        elif self.of_memory(op) or self.graph.scopes[op.scope].stack in self.graph.lengths:
            length = self.of_what(op)
            touched = {name: _measured(value, length) for name, value in touched.items()}
        if op.kind == "attend" and self.crosses(op):
            producer = self.graph.producer(op.arg("k"))
            assert producer is not None
            length = self.of_what(producer)
            for name in (op.arg("k"), op.arg("v")):
                touched[name] = _measured(touched[name], length)
        return touched

    def length(self, stack: str) -> Dim:
        """How long a stack is that another reads, or whose input decides."""
        size = self.graph.lengths.get(stack)
        return M if size is None else Dim("T", size)

    def of_what(self, op: Op) -> Dim:
        """How long the memory is that an op makes or reads."""
        scope = self.graph.scopes[op.scope]
        if scope.role != "method":
            return self.length(scope.stack)
        hidden = {value: stack for stack, value in self.graph.hidden.items()}
        found: list[str] = []
        for each in self.graph.ops(op.scope):
            found += [hidden[value] for value in each.inputs if value in hidden]
        return self.length(found[0]) if found else M


def _read_by_heads(graph: ModuleGraph) -> dict[int, str]:
    """Op of a head -> the stack whose hidden states it is computed from."""
    stacks = {value: stack for stack, value in graph.hidden.items()}
    found: dict[int, str] = {}
    for op in graph.ops():
        if graph.scopes[op.scope].stack:
            continue
        for value in op.inputs:
            if value in stacks:  # of several, the first
                found[op.number] = stacks[value]
                stacks.update(dict.fromkeys(op.outputs, stacks[value]))
                break
    return found


def _measured(value: Value, length: Dim) -> Value:
    return replace(value, shape=as_long_as(value.shape, length))


def as_long_as(shape: Shape, length: Dim) -> Shape:
    """The shape of as many tokens, which may be counted as new, seen, or a memory's."""
    return tuple(_measured_axis(dim, length) for dim in shape)


def _measured_axis(dim: Dim, length: Dim) -> Dim:
    times, _, letter = dim.label.rpartition("*")
    if letter in ("T", "S", "M") and not times:
        return length
    if letter in ("T", "S", "M") and times.isdigit():
        return length.times(int(times))
    return replace(dim, parts=as_long_as(dim.parts, length))
