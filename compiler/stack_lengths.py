"""Which stacks have the same number of tokens, and how many tokens share a position."""

from __future__ import annotations

from .graph import ModuleGraph


def continuing(graph: ModuleGraph, stack: str) -> list[str]:
    """The stacks whose tokens are the vectors of this one, all of them and no others."""
    return [
        name
        for name, fact in graph.inputs.items()
        if fact.stack == stack and name not in graph.parts and not fact.prefix and not fact.skip
    ]


def memories(graph: ModuleGraph) -> set[str]:
    """The stacks that others read, but for those that a stack continues which is no memory."""
    read = {name for stack in graph.stack_facts.values() for name in stack.reads}

    def is_memory(stack: str) -> bool:
        return stack in read and all(map(is_memory, continuing(graph, stack)))

    return {stack for stack in graph.stack_facts if is_memory(stack)}


def turn_of(graph: ModuleGraph, stack: str) -> int:
    """How many tokens of a stack share a position: the number of interleaved inputs, or 1."""
    found = [op for op in graph.ops() if op.kind == "position_ids" and op.attrs["stack"] == stack]
    return max((int(op.attrs["turn"]) for op in found), default=1)
