"""Write one function of an emitted file: which values get names, and which are inlined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...compiler.axes import show
from ...compiler.graph import Op, Scope, Value
from ...compiler.sizes import Field, InverseRoot, Size
from .code.measure import LONG, width
from .code.nodes import Call, Dot, Expr, Name, Return, Sequence, Set, Statement
from .code.read import constant, expression, names
from .code.walk import change, origins_in, walk, written_for
from .items import Item
from .plan import FilePlan
from .sizes import config_expression, field_of, over

SELF = Name("self")
POSITIONS = Name("positions")


class Needs:
    """What the functions of a class need from it."""

    def __init__(self) -> None:
        self.attributes: dict[str, Expr] = {}  # name -> expression over the config
        self.masks: dict[str, list[Op]] = {}  # helper function -> the ops that call it
        self.layer = False
        self.config = False  # whether numbers are read from `self.config`, not from attributes


class TwoNumbersError(ValueError):
    """Two numbers of a stack would be attributes of the same name."""


class Writer:
    """Writes the statements of one function. The rows of ops use its methods."""

    def __init__(self, plan: FilePlan, place: Scope, needs: Needs, *, root: bool) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.place = place
        self.needs = needs
        self.root = root  # a method of the model itself
        self.whole = root or place.role == "stack"  # a stack with its own variable `x`
        self.modules = {op.name for op in plan.index.ops[place.path] if op.weights}
        self.modules |= {child.name for child in plan.index.children[place.path]}
        self.cached = place.stack in plan.cached
        self.by_call = plan.layer_by_call(place.path)
        self.ids = ""  # a value whose second axis is the new tokens
        self.body: list[Statement] = []
        self.names: dict[str, Expr] = {}  # value id -> its expression
        self.holds: dict[str, str] = {}  # local name -> id of its current value
        self.waiting: dict[str, Expr] = {}  # values without a name, inlined at their use
        self.sources: dict[str, Op] = {}
        self.pending: dict[str, int] = {}  # value id -> number of remaining uses
        self.uses_end = False
        self.doing: Op | None = None  # the op that is being written
        self.seen: dict[Expr, tuple[Name, Any]] = {}  # previous tokens -> their count, the padding
        self.first: tuple[int, str] | None = None  # where the first (B, T, …) is computed; its name

    # -- names

    def count_uses(self, items: Iterable[Item], results: Iterable[str]) -> None:
        for item in items:
            for value in filter(None, item.inputs):
                self.pending[value] = self.pending.get(value, 0) + 1
        for value in results:
            self.pending[value] = self.pending.get(value, 0) + 1

    def hold(self, value: str, name: str) -> None:
        """Record that `name` now refers to this value."""
        self.names[value] = Name(name)
        self.holds[name] = value

    def bind(self, value: str, name: str) -> str:
        """Choose a name for this value: `name`, or a similar one if `name` is still in use."""
        candidate = self.free(name)
        self.hold(value, candidate)
        return candidate

    def free(self, name: str) -> str:
        """`name`, or a similar one if `name` is still in use."""
        candidate, number = name, 2
        while self._read_later(candidate):
            candidate, number = f"{name}{number}", number + 1
        return candidate

    def _read_later(self, name: str) -> bool:
        """Whether a use of this name follows, also in an expression that is still to be inlined."""
        if self.pending.get(self.holds.get(name, ""), 0) > 0:
            return True
        return any(Name(name) == part for value in self.waiting.values() for part in walk(value))

    def use(self, value: str) -> Any:
        """The expression of a value; each call counts as one use."""
        self.pending[value] = self.pending.get(value, 1) - 1
        if value in self.waiting:
            return self.waiting.pop(value)
        return self.names[value]

    def arg(self, op: Op, slot: str) -> Any:
        """The expression in a slot of an op; each call counts as one use."""
        return self.use(op.arg(slot))

    def given(self, op: Op, *slots: str) -> list[Any]:
        """The expressions in these slots, without empty slots."""
        return self.use_all(value for slot in slots if (value := op.arg(slot)))

    def use_all(self, values: Iterable[str]) -> list[Any]:
        return [self.use(value) for value in values]

    def own(self, op: Op, name: str = "") -> Any:
        """The attribute of an op's weights, or another attribute."""
        return Dot(SELF, name or op.name)

    def joined(self, op: Op) -> list[Op]:
        """The linear layers that are joined with this one, including itself, in order."""
        parts = op.attrs.get("joined", ())
        return [x for x in self.plan.index.ops[op.scope] if x.name in parts and x.kind == "linear"]

    # -- config values, positions

    def number(self, value: Any, name: str = "") -> Any:
        """A config value inside forward: `self.config.x` in the model and in stacks that read many
        numbers, `self.x` in a module.
        """
        if isinstance(value, InverseRoot):
            width = self.number(value.width, "head_dim")
            if value.times > 1:
                return expression("(n * d) ** -0.5", n=constant(value.times), d=width)
            return expression("d**-0.5", d=width)
        if not isinstance(value, (Size, Field)):
            return constant(value)
        if self.root or self.needs.config:
            if not self.root:
                self.needs.attributes["config"] = Name("config")
            return over(value, lambda field: field_of(Dot(SELF, "config"), field))
        if isinstance(value, Size) and isinstance(value.tree, tuple) and not name:
            return over(value, self.number)
        return self._attribute(value, name)

    def _attribute(self, value: Size | Field, name: str) -> Expr:
        """A number that the module stores as an attribute."""
        field = value if isinstance(value, Field) else value.tree
        word = name
        if isinstance(field, Field):  # without a prefix, unless two numbers have this key
            several = self.plan.has_several(self.place.path, field.key)
            word = field.name if several else field.key
        if not word:  # a plain number
            return config_expression(value)
        if word == "layers":  # the name of the stack's blocks
            word = "depth"
        elif word in self.modules:  # such as `prefix_tokens`, which are weights too
            word = f"number_of_{word}"
        made = config_expression(value)
        if isinstance(field, Field) and self.needs.attributes.get(word, made) != made:
            word = field.name  # that of another layer's mask, such as `b_band`
        if self.needs.attributes.get(word, made) != made:
            if self.place.role == "stack":
                raise TwoNumbersError
            raise ValueError(f"`{word}` is the name of two numbers in {self.place.path}")
        self.needs.attributes[word] = made
        return Dot(SELF, word, origins=origins_in(self.needs.attributes[word]))

    @property
    def static(self) -> bool:
        """Whether the cache is allocated at full size."""
        return self.cached and self.plan.options.static_cache

    def counted(self) -> Any:
        """Positions of the new tokens, as an expression (T,)."""
        if self.static:
            return POSITIONS
        start = "start, " if self.cached else ""
        ids, end = self.names[self.ids], self.end()
        return expression(f"torch.arange({start}end, device=ids.device)", ids=ids, end=end)

    def new_places(self, op: Op) -> Any:
        """The variable with the positions of the new tokens, assigned once per function."""
        if not self.static and self.holds.get("positions") != "positions":
            self.assign("positions", self.counted(), "(T,)", op)
            self.holds["positions"] = "positions"
        return POSITIONS

    def first_place(self, op: Op) -> Any:
        """The positions argument of a mask: the first query's, or all."""
        if self.plan.options.static_cache:
            return self.new_places(op)
        return Name("start") if self.cached else constant(0)

    def end(self) -> Any:
        self.uses_end = True
        return Name("end" if self.cached else "length")

    # -- statements

    def say(self, *found: Statement, op: Op | None = None) -> None:
        """Add statements of this op, or of the one that is being written."""
        op = op or self.doing
        self.body += [written_for(s, op.number) for s in found] if op is not None else found

    def assign(self, name: str, value: Expr, note: str = "", op: Op | None = None) -> None:
        """`name = value  # note`, in the last line if that assigned the input of a module."""
        made = Set(Name(name), value, note)
        joined = self._applied(made)
        if joined is not None:
            self.body.pop()
        self.say(joined or made, op=op)

    def _applied(self, made: Set) -> Set | None:
        """`x = self.dropout(self.norm(x))` for two lines, if it fits on one; else None."""
        last, value = self.body[-1] if self.body else None, made.value
        if not isinstance(last, Set) or last.target != made.target or last.also:
            return None
        if not isinstance(value, Call) or not isinstance(value.of, Dot) or value.of.of != SELF:
            return None
        if [*walk(value)].count(made.target) != 1 or (made.note and made.note != last.note):
            return None
        nested = change(value, {made.target: last.value})
        both = Set(made.target, nested, last.note, origins=last.origins)
        return both if width(both, depth=2) <= LONG else None

    def assign_all(
        self, targets: Iterable[str], value: Expr, note: str = "", op: Op | None = None
    ) -> None:
        """`a, b = value  # note`."""
        self.say(Set(names(*targets), value, note), op=op)

    def note(self, *values: str) -> str:
        """`(B, T, D)`; for several values `(B, T, E) each`, or several shapes."""
        shapes = [show(self.graph.values[value].shape) for value in values]
        if len(shapes) > 1 and len(set(shapes)) == 1:
            return f"{shapes[0]} each"
        return " and ".join(shapes)

    def settle(self, op: Op, value: Expr) -> None:
        """Assign the op's result to a name, or inline it if it is used once."""
        result = self.graph.values[op.outputs[0]]
        value = written_for(value, op.number)
        if self.pending.get(result.id, 0) == 1 and not result.name:
            self.waiting[result.id] = value
            self.sources[result.id] = op
            return
        self._name(op, result, value)

    def _name(self, op: Op, result: Value, value: Expr) -> None:
        name = result.name or ("h" if op.attrs.get("stack") is None else op.kind)
        before = self.graph.values.get(self.holds.get(name, ""))
        kept = before is not None and show(before.shape) == show(result.shape)
        kept = kept or (op.kind == "masked_bias" and bool(op.attrs.get("tiles")))  # a list
        name = self.bind(result.id, name)
        self.assign(name, value, "" if kept or not result.shape else show(result.shape), op)
        if self.first is None and [dim.label for dim in result.shape[:2]] == ["B", "T"]:
            self.first = len(self.body), name

    def finish(self, results: list[str]) -> None:
        """Return the results; if the last statement assigns the result, it becomes the return."""
        if len(results) > 1:
            self.say(Return(Sequence(tuple(self.use_all(results)), "")))
            return
        (value,) = results
        if value in self.waiting:
            op = self.sources[value]
            self.say(Return(self.use(value), self.note(value)), op=op)
        elif not self.return_last(self.names[value]):
            self.say(Return(self.names[value]))

    def return_last(self, target: Expr) -> bool:
        """Turn a final `target = value` into `return value`; False if there is none."""
        last = self.body[-1] if self.body else None
        if not isinstance(last, Set) or last.target != target or last.value is None:
            return False
        self.body[-1] = Return(last.value, last.note, origins=last.origins)
        return True

    # -- values of the enclosing function

    @property
    def like(self) -> Any:
        """A float tensor in scope, for the dtype and device of new tensors."""
        floats = [
            name
            for name, value in self.holds.items()
            if value in self.graph.values and self.graph.values[value].dtype == "float"
        ]
        if not floats:
            return self.names[self.ids]
        if "x" not in floats and self.ids in self.graph.hidden.values():  # it continues a stack
            return self.names[self.ids]
        return Name("x" if "x" in floats else floats[-1])

    def layer(self) -> Any:
        self.needs.layer = True
        return Name("layer") if self.by_call else Dot(SELF, "layer")

    def table(self, weight: str) -> Any:
        """A weight of another module: an attribute in the model, a parameter elsewhere."""
        if not self.root:
            return Name(self.plan.tables(self.place.path)[weight])
        found: Expr = SELF
        for part in weight.split("."):
            found = Dot(found, part)
        return found
