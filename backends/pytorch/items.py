"""What a scope does, in order: its own ops and the calls of the scopes below it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...compiler.graph import ModuleGraph, Op, Scope

SILENT = {"argument", "layer_input"}


@dataclass
class Item:
    """One thing that a function does: an op of its own, or a call of a scope below it."""

    order: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    op: Op | None = None
    scope: Scope | None = None


def external(graph: ModuleGraph, ops: Iterable[Op]) -> tuple[list[str], list[str]]:
    """What these ops read that they do not make, and what they make that others read."""
    ops = list(ops)
    numbers = {op.number for op in ops}
    made = [value for op in ops for value in op.outputs]
    inputs: list[str] = []
    for op in ops:
        inputs += [v for v in op.inputs if v and v not in made and v not in inputs]
        absent = op.attrs.get("absent", "")
        if absent and absent not in made and absent not in inputs:
            inputs.append(absent)
    results = set(graph.outputs.values()) | set(graph.hidden.values())
    outputs = [
        value
        for value in made
        if value in results or any(op.number not in numbers for op in graph.consumers(value))
    ]
    return inputs, outputs


def items_of(graph: ModuleGraph, scope: str) -> list[Item]:
    """The ops and calls of a scope, each after what it needs, otherwise as they were made."""
    items = [
        Item(op.number, op.inputs, op.outputs, op=op)
        for op in graph.ops(scope)
        if op.kind not in SILENT
    ]
    for child in graph.children(scope):
        ops = graph.subtree(child.path)
        if not ops:
            continue
        inputs, outputs = external(graph, ops)
        order = min(op.number for op in ops)
        items.append(Item(order, tuple(inputs), tuple(outputs), scope=child))
    return _sorted(items)


def unfolded(graph: ModuleGraph, items: list[Item]) -> list[Item]:
    """These items, each stack's own ones in its place: a model runs its stacks' parts itself."""
    found: list[Item] = []
    for item in items:
        if item.scope is not None and item.scope.role == "stack":
            found += items_of(graph, item.scope.path)
        else:
            found.append(item)
    return _sorted(found)


def _sorted(items: list[Item]) -> list[Item]:
    made_by = {value: item for item in items for value in item.outputs}
    done: list[Item] = []

    def visit(item: Item) -> None:
        if any(item is other for other in done):
            return
        for value in item.inputs:
            if value in made_by and made_by[value] is not item:
                visit(made_by[value])
        done.append(item)

    for item in sorted(items, key=lambda item: item.order):
        visit(item)
    return done
