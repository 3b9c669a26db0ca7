"""One function of an emitted file: what is named, what is inlined, which names are free."""

from __future__ import annotations

import re

from ...compiler.axes import show
from ...compiler.graph import Op, Scope, Value
from ...compiler.sizes import Field, InverseRoot, Size
from .items import Item
from .structure import Needs, Structure
from .text import Expr, Line, config_text


class Function:
    """Writes the statements of one function. Backends' op rows call its methods."""

    def __init__(self, structure: Structure, place: Scope, needs: Needs, *, root: bool) -> None:
        self.structure = structure
        self.graph = structure.graph
        self.place = place
        self.needs = needs
        self.root = root
        self.modules = {op.name for op in self.graph.ops(place.path) if op.weights}
        self.modules |= {child.name for child in self.graph.children(place.path)}
        self.cached = place.stack in structure.cached
        self.by_call = structure.layer_by_call(place.path)
        self.ids = ""  # a value whose second axis is the new tokens
        self.lines: list[Line] = []
        self.names: dict[str, str] = {}  # value id -> the Python name that holds it
        self.holds: dict[str, str] = {}  # Python name -> the value id that it holds now
        self.waiting: dict[str, Expr] = {}  # unnamed values, to be written where they are used
        self.sources: dict[str, Op] = {}
        self.pending: dict[str, int] = {}  # value id -> how many uses are still to come
        self.uses_end = False
        self.first: tuple[int, str] | None = None  # the line that first makes T tokens; their name

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

    def member(self, scope: str, name: str) -> str:
        """An attribute of a scope as this function says it: a model runs its stacks itself."""
        return f"self.{scope}.{name}" if self.root and scope else f"self.{name}"

    def own(self, op: Op, name: str = "") -> str:
        """The attribute that holds an op's weights, or another that is said to."""
        return self.member(op.scope, name or op.name)

    def joined(self, op: Op) -> list[Op]:
        """The linear layers that are computed with this one, itself among them, in order."""
        names = op.attrs.get("joined", ())
        return [x for x in self.graph.ops(op.scope) if x.name in names and x.kind == "linear"]

    # -- config values, helpers, positions

    def number(self, value: object, name: str = "") -> str:
        """A config value inside forward: `self.config.x` in the model, `self.x` in a module."""
        if isinstance(value, InverseRoot):
            width = self.number(value.width, "head_dim")
            return f"({value.times} * {width}) ** -0.5" if value.times > 1 else f"{width}**-0.5"
        if not isinstance(value, (Size, Field)):
            return config_text(value)
        if self.root:
            return config_text(value, "self.config.")
        if isinstance(value, Size) and isinstance(value.tree, tuple) and not name:
            parts = {part.name: self.number(part) for part in value.fields()}
            return re.sub(r"self\.(\w+)", lambda found: parts[found[1]], value.code("self."))
        attribute = _attribute(value, name)
        if attribute == "layers":  # the stack's blocks are called so
            attribute = "depth"
        elif attribute in self.modules:  # as `prefix_tokens`, which are weights too
            attribute = f"number_of_{attribute}"
        self.needs.attributes[attribute] = config_text(value)
        return f"self.{attribute}"

    def helper(self, file: str, name: str) -> str:
        self.needs.helpers.add((file, name))
        return name

    @property
    def static(self) -> bool:
        """Does the cache have room for all tokens from the first step on?"""
        return self.cached and self.structure.options.static_cache

    def counted(self) -> str:
        """Where the new tokens stand in their sequences, as an expression (T,)."""
        if self.static:
            return "place"
        start = "start, " if self.cached else ""
        return f"torch.arange({start}{self.end()}, device={self.names[self.ids]}.device)"

    def new_places(self, op: Op) -> str:
        """The name of where the new tokens stand; said once in a function."""
        if not self.static and self.holds.get("place") != "place":
            self.say(f"place = {self.counted()}", "(T,)", op.number)
            self.holds["place"] = "place"
        return "place"

    def first_place(self, op: Op) -> str:
        """What a mask is told of where its queries stand: the first of them, or each."""
        if self.structure.options.static_cache:
            return self.new_places(op)
        return "start" if self.cached else "0"

    def end(self) -> str:
        self.uses_end = True
        return "end" if self.cached else "length"

    # -- statements

    def say(self, text: str, comment: str = "", op: int | None = None, indent: int = 0) -> None:
        self.lines.append(Line(text, comment, op, indent))

    def comment(self, *values: str) -> str:
        """`(B, T, D)`; of several values `(B, T, E) each`, or one shape and another."""
        shapes = [show(self.graph.values[value].shape) for value in values]
        if len(shapes) > 1 and len(set(shapes)) == 1:
            return f"{shapes[0]} each"
        return " and ".join(shapes)

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
        if self.first is None and show(value.shape).startswith("(B, T"):
            self.first = len(self.lines), name

    # -- what stands around the function

    @property
    def like(self) -> str:
        """The float tensor at hand: it gives dtype and device to what is computed beside it."""
        floats = [
            name
            for name, value in self.holds.items()
            if value in self.graph.values and self.graph.values[value].dtype == "float"
        ]
        return "x" if "x" in floats else floats[-1] if floats else self.names[self.ids]

    def layer(self) -> str:
        self.needs.layer = True
        return "layer" if self.by_call else "self.layer"

    def table(self, weight: str) -> str:
        if self.root:
            return f"self.{weight}"
        return self.structure.tables(self.place.path)[weight]


def _attribute(value: Size | Field, name: str) -> str:
    if isinstance(value, Field):
        return value.name
    if isinstance(value.tree, Field):
        return value.tree.name
    return name or config_text(value)


def _fallback(op: Op) -> str:
    return "h" if op.attrs.get("stack") is None else op.kind
