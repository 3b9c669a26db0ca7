"""One scope's ops as the body of a Python function: what is named, what is inlined, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...compiler.axes import show
from ...compiler.graph import ModuleGraph, Op, Scope, Value
from ...compiler.sizes import Field, Size
from .text import ATOM, Expr, Line, config_text

if TYPE_CHECKING:
    from collections.abc import Iterable

SILENT = {"argument", "layer_input"}


@dataclass
class Item:
    """One thing that a function does: an op of its own, or a call of a scope below it."""

    order: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    op: Op | None = None
    scope: Scope | None = None


@dataclass
class Needs:
    """What a file or class must have because of what its functions say."""

    helpers: set[tuple[str, str]] = field(default_factory=set)
    attributes: dict[str, str] = field(default_factory=dict)  # name -> expression over config
    masks: dict[str, Op] = field(default_factory=dict)  # function name -> mask op
    tables: dict[str, str] = field(default_factory=dict)  # tied logical weight -> parameter name
    layer: bool = False


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
        if value in results
        or any(op.number not in numbers for op in graph.consumers(value))
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


class Function:
    """Writes the statements of one function. Backends' op rows call its methods."""

    def __init__(
        self,
        graph: ModuleGraph,
        needs: Needs,
        *,
        root: bool,
        cached: bool,
        stack: str,
        origin_scope: str = "",
    ) -> None:
        self.graph = graph
        self.needs = needs
        self.root = root
        self.cached = cached
        self.stack = stack
        self.scope = origin_scope
        self.lines: list[Line] = []
        self.names: dict[str, str] = {}  # value id -> the Python name that holds it
        self.holds: dict[str, str] = {}  # Python name -> the value id that it holds now
        self.waiting: dict[str, Expr] = {}  # unnamed values, to be written where they are used
        self.sources: dict[str, Op] = {}
        self.pending: dict[str, int] = {}  # value id -> how many uses are still to come
        self.uses_start = False
        self.uses_end = False

    # -- names

    def count_uses(self, items: list[Item], results: list[str]) -> None:
        for item in items:
            for value in filter(None, item.inputs):
                self.pending[value] = self.pending.get(value, 0) + 1
        for value in results:
            self.pending[value] = self.pending.get(value, 0) + 1

    def bind(self, value: str, name: str) -> str:
        """Let `name` hold this value, or a name like it while `name` still holds a live one."""
        candidate, number = name, 2
        while self.pending.get(self.holds.get(candidate, ""), 0) > 0:
            candidate, number = f"{name}{number}", number + 1
        self.names[value] = candidate
        self.holds[candidate] = value
        return candidate

    def use(self, value: str) -> Expr:
        """The expression of a value; each call is one use."""
        self.pending[value] = self.pending.get(value, 1) - 1
        if value in self.waiting:
            return self.waiting.pop(value)
        return Expr(self.names[value])

    # -- config values, helpers, positions

    def number(self, value: object, name: str = "") -> str:
        """A config value inside forward: `self.config.x` in the model, `self.x` in a module."""
        if not isinstance(value, (Size, Field)):
            return config_text(value)
        if self.root:
            return config_text(value, "self.config.")
        if isinstance(value, Size) and isinstance(value.tree, tuple) and not name:
            for part in value.fields():
                self.number(part)
            return value.code("self.")
        attribute = _attribute(value, name)
        self.needs.attributes[attribute] = config_text(value)
        return f"self.{attribute}"

    def helper(self, file: str, name: str) -> str:
        self.needs.helpers.add((file, name))
        return name

    def start(self) -> str:
        self.uses_start = self.cached
        return "start" if self.cached else "0"

    def end(self) -> str:
        self.uses_end = True
        return "end" if self.cached else "length"

    # -- statements

    def say(self, text: str, comment: str = "", op: int | None = None, indent: int = 0) -> None:
        self.lines.append(Line(text, comment, op, indent))

    def comment(self, value: str) -> str:
        return show(self.graph.values[value].shape)

    def settle(self, op: Op, expression: Expr, *, comment: bool = True) -> None:
        """Give the op's one result a name now, or let it wait for its only use."""
        value = self.graph.values[op.outputs[0]]
        uses = self.pending.get(value.id, 0)
        if uses == 1 and not value.name and "\n" not in expression.text:
            self.waiting[value.id] = expression
            self.sources[value.id] = op
            return
        self.assign(op, value, expression, comment=comment)

    def assign(self, op: Op, value: Value, expression: Expr, *, comment: bool = True) -> None:
        name = value.name or _fallback(op)
        before = self.graph.values.get(self.holds.get(name, ""))
        kept = before is not None and show(before.shape) == show(value.shape)
        name = self.bind(value.id, name)
        note = show(value.shape) if comment and not kept else ""
        self.say(f"{name} = {expression}", note, op.number)


def _attribute(value: Size | Field, name: str) -> str:
    if isinstance(value, Field):
        return value.name
    if isinstance(value.tree, Field):
        return value.tree.name
    return name or config_text(value)


def _fallback(op: Op) -> str:
    return "h" if op.attrs.get("stack") is None else op.kind


__all__ = ["ATOM", "Function", "Item", "Needs", "external", "items_of"]
