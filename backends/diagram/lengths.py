"""The letter of each stack's length in a figure: one letter per length."""

from __future__ import annotations

from ...compiler.axes import Dim, Shape
from ...compiler.count import as_long_as
from ...compiler.graph import ModuleGraph
from ...compiler.stack_lengths import continuing, memories
from .text import plain


def shape_text(graph: ModuleGraph, value: str) -> str:
    """`(B, T, 768)`: letters for input-dependent axes, numbers for sizes."""
    shape = shape_of(graph, value)
    return f"({', '.join(d.label if d.size is None else plain(int(d.size)) for d in shape)})"


def shape_of(graph: ModuleGraph, value: str) -> Shape:
    """The shape of a value, with the length of its own stack."""
    shape = graph.values[value].shape
    length = lengths(graph).get(stack_of(graph, value))
    return shape if length is None else as_long_as(shape, length)


def lengths(graph: ModuleGraph) -> dict[str, Dim]:
    """The length of each stack whose length is not T.

    A memory has M tokens, several have M1, M2 …; further stacks T2 …; a stack whose input
    determines the length, such as an image, has this number. A stack that continues another one
    has its letter.
    """
    read = memories(graph)
    groups: dict[str, list[str]] = {}  # the stack that a chain of them begins with -> all
    for name in graph.stack_facts:
        if name not in graph.lengths:
            groups.setdefault(_first(graph, name), []).append(name)
    of_memories = [group for group in groups.values() if read.issuperset(group)]
    others = [group for group in groups.values() if not read.issuperset(group)]
    found = {name: Dim("T", size) for name, size in graph.lengths.items()}
    for number, group in enumerate(of_memories, 1):
        found.update(dict.fromkeys(group, Dim("M" if len(of_memories) == 1 else f"M{number}")))
    for number, group in enumerate(others[1:], 2):
        found.update(dict.fromkeys(group, Dim(f"T{number}")))
    return found


def _first(graph: ModuleGraph, stack: str) -> str:
    """The stack that a chain of stacks begins with, each of which continues the one before."""
    source = graph.inputs[stack].stack
    follows = source and stack in continuing(graph, source)
    return _first(graph, source) if follows else stack


def stack_of(graph: ModuleGraph, value: str) -> str:
    """The stack of a value's token axis, or ""."""
    for head, result in graph.outputs.items():
        if result == value and head in graph.heads:
            return graph.heads[head].stack
    for stack, hidden in graph.hidden.items():
        if hidden == value:
            return stack
    op = graph.producer(value)
    if op is None or op.kind != "argument":
        return "" if op is None else graph.scopes[op.scope].stack
    named = [
        stack for stack in graph.inputs if op.name in {f.argument for f in graph.read_by(stack)}
    ]
    return named[0] if named else _reader(graph, value)


def _reader(graph: ModuleGraph, value: str) -> str:
    """The first stack that reads a value directly or through ops outside of stacks, or ""."""
    waiting, seen = [value], {value}
    while waiting:
        for op in graph.consumers(waiting.pop(0)):
            stack = str(op.attrs.get("stack") or graph.scopes[op.scope].stack)
            if stack:
                return stack
            waiting += [result for result in op.outputs if result not in seen]
            seen.update(op.outputs)
    return ""
