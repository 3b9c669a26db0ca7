"""The items of a scope in order: its own ops, and calls of the scopes below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...compiler.graph import ModuleGraph, Op, Scope
from ...compiler.index import Index
from ...compiler.operands import Operands
from ...records import record

SILENT = {"argument", "layer_input"}


@record(frozen=True, eq=False)
class Do:
    """An op of the scope itself."""

    op: Op

    @property
    def order(self) -> int:
        return self.op.number

    @property
    def inputs(self) -> Operands:
        return self.op.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.op.outputs


@record(frozen=True, eq=False)
class Run:
    """A call of a scope below; subclasses are for stacks and layers."""

    scope: Scope
    order: int
    inputs: Operands
    outputs: tuple[str, ...]


class Keep(Run):
    """Ops that are computed once and then read from the cache: keys and values of a memory."""


class Repeat(Run):
    """The loop over the layers of a stack."""


class Stack(Run):
    """A call of one of several stacks."""


Item = Do | Run
ROLES: dict[str, type[Run]] = {"module": Run, "method": Keep, "layers": Repeat, "stack": Stack}


def external(
    graph: ModuleGraph, index: Index, ops: Iterable[Op]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs of these ops from outside, and results that are used outside."""
    ops = list(ops)
    inside = {op.number for op in ops}.issuperset
    made = dict.fromkeys([value for op in ops for value in op.outputs])
    inputs: dict[str, None] = {}
    for op in ops:
        for value in (*op.inputs, op.attrs.get("absent", "")):
            if value and value not in made:
                inputs[value] = None
    results = {*graph.outputs.values(), *graph.hidden.values()}
    outputs = [
        value
        for value in made
        if value in results or not inside([op.number for op in index.consumers[value]])
    ]
    return tuple(inputs), tuple(outputs)


def items_of(
    graph: ModuleGraph,
    index: Index,
    scope: str,
    external: Callable[[str], tuple[tuple[str, ...], tuple[str, ...]]],
) -> list[Item]:
    """The ops and calls of a scope, each after its inputs, otherwise in order of creation.

    `external` gives the inputs and results of a scope below.
    """
    items: list[Item] = [Do(op) for op in index.ops[scope] if op.kind not in SILENT]
    for child in index.children[scope]:
        ops = index.subtree[child.path]
        if child.role == "stack" and not ops:  # without layers, it returns its input
            value = graph.hidden[child.stack]
            items.append(Stack(child, graph.producers[value], Operands([value]), ()))
        elif ops:
            order = min(op.number for op in ops)
            inputs, outputs = external(child.path)
            items.append(ROLES.get(child.role, Run)(child, order, Operands(inputs), outputs))
    return _sorted(items)


def _sorted(items: list[Item]) -> list[Item]:
    items = sorted(items, key=lambda item: item.order)
    made_by = {value: item for item in items for value in item.outputs}
    found: list[Item] = []
    begun: set[int] = set()
    for item in items:
        _append(item, made_by, begun, found)
    return found


def _append(item: Item, made_by: dict[str, Item], begun: set[int], found: list[Item]) -> None:
    """Append an item, after those that make its inputs."""
    if id(item) in begun:
        return
    begun.add(id(item))
    for value in item.inputs:
        if value in made_by:
            _append(made_by[value], made_by, begun, found)
    found.append(item)
