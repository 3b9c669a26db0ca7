"""The size of all attention maps of a forward pass, before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.facts import PartFact
from ...compiler.graph import ModuleGraph, Op
from ...compiler.passes.keep_weights import attentions
from ...compiler.report_text import in_bytes


def map_bytes(graph: ModuleGraph, inputs: Mapping[str, Any], width: int) -> int:
    """Bytes of the maps (B, H, T, S) of all layers.

    inputs: the arguments of `forward`; tokens that the model adds to them are not counted
    width: bytes of an element
    """
    total = 0
    for op in attentions(graph):
        stack = graph.scopes[op.scope].stack
        source = memory_of(graph, op) or stack
        pairs = tokens_of(graph, stack, inputs) * tokens_of(graph, source, inputs)
        block = graph.block_of(op.scope)
        layers = len(block.layer_indices) if block is not None else 1
        total += layers * batch_of(inputs) * heads_of(op) * pairs * width
    return total


def heads_of(op: Op) -> int:
    """The number of heads; a recurrence has one."""
    return int(op.attrs["heads"].size) if op.kind == "attend" else 1


def batch_of(inputs: Mapping[str, Any]) -> int:
    """The batch size, that of the first argument."""
    first = next(iter(inputs.values()))
    return int(first.shape[0])


def memory_of(graph: ModuleGraph, op: Op) -> str:
    """The stack whose states are the keys of a cross-attention; "" for self-attention."""
    if graph.scopes[graph.scope_of(op.arg("k"))].role != "method":
        return ""
    return graph.from_states(op.arg("k"))[0]


def tokens_of(graph: ModuleGraph, stack: str, inputs: Mapping[str, Any]) -> int:
    """The number of tokens of a stack; 0 where an input that sets it is not given."""
    if stack in graph.lengths:
        return int(graph.lengths[stack])
    if parts := graph.parts.get(stack):
        return sum(part_length(graph, part, inputs) for part in parts)
    fact = graph.inputs[stack]
    if fact.argument in inputs:
        return fact.tokens(int(inputs[fact.argument].shape[fact.axis]))
    reads = graph.stack_facts[stack].reads
    return tokens_of(graph, reads[0], inputs) if reads and not fact.argument else 0


def part_length(graph: ModuleGraph, part: PartFact, inputs: Mapping[str, Any]) -> int:
    """The number of vectors of a joined input; 0 if it is not given."""
    fact = part.input
    if fact.stack:
        return tokens_of(graph, fact.stack, inputs) - fact.skip + fact.prefix
    if fact.argument not in inputs:
        return 0
    given = fact.tokens(int(inputs[fact.argument].shape[fact.axis]))
    return given if part.length is None else int(part.length)


def size_text(size: int) -> str:
    """`3.2 GiB`."""
    return in_bytes(size)
