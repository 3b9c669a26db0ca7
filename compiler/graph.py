"""ModuleGraph: the one type that goes through the house.

Ops are its nodes; a value that flows from one op to another is an edge, keyed by the argument slot
it fills, so `x * x` has two edges. Scopes are the modules that the ops stand in; a scope of layers
stands once and repeats.

`graph.nx` is the same as a `networkx.MultiDiGraph`, made when it is asked for. A node is an op's
number and carries `op` (an `Op`); an edge carries `value` (the id of the value that flows along
it). A layer's output that is the next layer's input is not an edge: the `layers` scope says it in
`carry`, so the graph has no cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..display import Displayed
from .axes import Shape, show
from .facts import HeadFact, InitFact, InputFact, SourceFact, StackFact, TokenFact
from .facts import Origin as Origin  # the origin of an op is a path of the spec
from .layer_rule import LayerRule
from .operands import Operands
from .order import in_order
from .sizes import Field, Size

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor: what a reader would call it, its symbolic shape, its kind of numbers.

    `name` is "" where the value is worth no name of its own; `optional` values may be None.
    """

    id: str
    name: str
    shape: Shape
    dtype: str = "float"  # float | int | bool
    optional: bool = False
    base: str = ""  # the name before it was told apart from others of that name

    def __str__(self) -> str:
        return f"{self.name or self.id} {show(self.shape)}"


@dataclass(frozen=True, eq=False)
class Initial:
    """How a fresh weight is drawn: zeros · ones · constant (value) · normal (the spec's `init`)."""

    kind: str
    value: float = 0.0
    residual: bool = False  # writes into the residual stream: narrower when depth-scaled


@dataclass(frozen=True, eq=False)
class Weight:
    """A parameter of an op. `name` is `weight`, `bias`, or "" for a parameter that stands alone.

    `tied` names the logical weight that is used instead of an own one. One that is not `trained`
    gets no gradient: what sets it is no part of the model.
    """

    name: str
    shape: tuple[Size, ...]
    initial: Initial
    tied: str = ""
    trained: bool = True

    @property
    def count(self) -> int:
        total = 1
        for size in self.shape:
            total *= int(size)
        return total


@dataclass(frozen=True, eq=False)
class Op:
    """One line of a model. `kind` is a row of `ops.OPS`, `name` the attribute that holds it."""

    number: int
    kind: str
    inputs: Operands  # ids of values, as `slots` names them; "" for an absent one
    outputs: tuple[str, ...]
    scope: str
    name: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    origin: Origin = ()
    slots: tuple[str, ...] = ()  # the name of each input; a slot for several stands as often

    def arg(self, slot: str) -> str:
        """The value in a slot, by its id; "" where an optional one is absent.

        Raises LookupError for a slot that this kind of op does not have, or has several values for.
        """
        found = self.args(slot)
        if len(found) > 1:
            raise LookupError(f"{self.kind}: `{slot}` holds {len(found)} values; `args` gives them")
        return found[0]

    def args(self, slot: str) -> tuple[str, ...]:
        """All values in a slot, by their ids. Raises LookupError for one that it does not have."""
        given = zip(self.slots, self.inputs, strict=True)
        found = tuple(value for name, value in given if name == slot)
        if not found:
            known = ", ".join(dict.fromkeys(self.slots)) or "none"
            raise LookupError(f"{self.kind} has no slot `{slot}`; its slots: {known}")
        return found

    @property
    def first(self) -> str:
        """The value in its first slot, whatever that is; "" for an op that reads none."""
        return next(iter(self.inputs), "")


@dataclass(frozen=True, eq=False)
class Scope:
    """A module (or a method of one) that ops stand in.

    role     model · stack · layers · block · module · method
    path     where it stands, dotted; unique. `""` is the model.
    weights  the prefix of its weights' logical names; holds `{layer}` below a `layers` scope
    """

    path: str
    name: str
    role: str
    parent: str | None
    weights: str = ""
    noun: str = ""  # what its class is called before collisions are resolved
    title: str = ""  # its docstring
    origin: Origin = ()
    stack: str = ""  # the stack it belongs to
    # role layers
    layers: Size | None = None
    order: tuple[str, ...] = ()  # block kind of each layer
    rule: LayerRule | None = None  # what `order` follows from; None where nobody said it
    modules: tuple[int, ...] = ()  # which stored module each layer uses
    carry: tuple[str, str] | None = None  # value in, value out of one repetition
    result: str = ""  # the value after the last repetition
    source: str = ""  # the value that enters the first repetition
    # role block
    layer_indices: tuple[int, ...] = ()
    stored: tuple[int, ...] = ()  # numbers of the stored modules of this kind


@dataclass(frozen=True, eq=False)
class LogicalWeight:
    """A weight by the name that never changes: `layers.3.attention.query.weight`."""

    name: str
    shape: tuple[int, ...]
    op: int
    weight: Weight


TABLES = (  # what a graph holds beside its ops
    "values",
    "producers",
    "scopes",
    "fields",
    "outputs",
    "hidden",
    "limits",
    "predicts_next",
    "lengths",
    "heads",
    "inputs",
    "stack_facts",
)
FACTS = ("init", "tokens", "source")  # frozen: copies of a graph share them


OP_FIELDS = tuple(Op.__dataclass_fields__)


class ModuleGraph(Displayed):
    """A model as ops, values and scopes. Passes take one and return one; backends read one."""

    def __init__(self, name: str, class_name: str) -> None:
        self.name = name
        self.class_name = class_name
        self._ops: dict[int, Op] = {}
        self.values: dict[str, Value] = {}
        self.producers: dict[str, int] = {}
        self.scopes: dict[str, Scope] = {}
        self.fields: list[Field] = []
        self.outputs: dict[str, str] = {}  # head name, or "hidden_states", -> value id
        self.hidden: dict[str, str] = {}  # stack name -> value id of its last hidden states
        self.predicts_next: set[str] = set()  # stacks that read no other and see nothing later
        self.limits: dict[str, Size] = {}  # stack name -> the most positions that it may see
        self.lengths: dict[str, Size] = {}  # stack name -> its tokens, where its input decides
        self.heads: dict[str, HeadFact] = {}  # in the order of the spec
        self.inputs: dict[str, InputFact] = {}  # stack name -> what it reads first
        self.stack_facts: dict[str, StackFact] = {}
        self.init = InitFact()
        self.tokens = TokenFact()
        self.source = SourceFact()
        self._order: list[int] | None = None  # None where it must be worked out again

    # -- building

    def add_value(self, value: Value) -> str:
        self.values[value.id] = value
        return value.id

    def add_op(self, op: Op) -> None:
        self._order = None
        self._ops[op.number] = op
        for value in op.outputs:
            self.producers[value] = op.number

    def replace_op(self, number: int, **changes: Any) -> Op:
        """The same op with other attributes."""
        if "inputs" in changes or "outputs" in changes:
            self._order = None
        if "inputs" in changes:
            changes["inputs"] = Operands(changes["inputs"])
        old = self.op(number)
        values = {key: changes.get(key, getattr(old, key)) for key in OP_FIELDS}
        self._ops[number] = Op(**values)
        return self._ops[number]

    def remove_op(self, number: int) -> None:
        self._order = None
        for value in self.op(number).outputs:
            self.producers.pop(value, None)
            self.values.pop(value, None)
        del self._ops[number]

    def copy(self) -> ModuleGraph:
        """An independent graph (ops, values and scopes are immutable and shared)."""
        other = ModuleGraph(self.name, self.class_name)
        other._ops, other._order = self._ops.copy(), self._order
        for name in TABLES:
            setattr(other, name, getattr(self, name).copy())
        for name in FACTS:
            setattr(other, name, getattr(self, name))
        return other

    # -- reading

    def op(self, number: int) -> Op:
        return self._ops[number]

    def __len__(self) -> int:
        """How many ops it has."""
        return len(self._ops)

    def __contains__(self, number: int) -> bool:
        return number in self._ops

    @property
    def nx(self) -> nx.MultiDiGraph[int]:
        """A new `networkx` graph of the ops and the values that flow between them."""
        import networkx

        made: nx.MultiDiGraph[int] = networkx.MultiDiGraph()
        for op in self._ops.values():
            made.add_node(op.number, op=op)
        for op in self._ops.values():
            for slot, value in enumerate(op.inputs):
                if value in self.producers:
                    made.add_edge(self.producers[value], op.number, key=slot, value=value)
        return made

    def ops(self, scope: str | None = None) -> list[Op]:
        """All ops, or those directly in `scope`, in an order in which each can be computed.

        Raises graphlib.CycleError where they need each other.
        """
        if self._order is None:
            made = self.producers
            needs = {
                op.number: {made[value] for value in op.inputs if made.get(value) in self._ops}
                for op in self._ops.values()
            }
            self._order = in_order(needs)
        ops = [self._ops[number] for number in self._order]
        return ops if scope is None else [op for op in ops if op.scope == scope]

    def producer(self, value: str) -> Op | None:
        number = self.producers.get(value)
        return None if number is None else self.op(number)

    def scope_of(self, value: str) -> str:
        """The scope in which a value is made."""
        return self.op(self.producers[value]).scope

    def keepers(self, path: str | None = None) -> list[Op]:
        """The ops (within a scope) whose results depend on what a cache keeps."""
        ops = self.ops() if path is None else self.subtree(path)
        return [op for op in ops if op.kind == "cache" or op.attrs.get("cached")]

    def consumers(self, value: str) -> list[Op]:
        return [op for op in self.ops() if value in op.inputs]

    def children(self, path: str) -> list[Scope]:
        return [s for s in self.scopes.values() if s.parent == path]

    def inside(self, path: str, ancestor: str) -> bool:
        """Is scope `path` the scope `ancestor`, or somewhere within it?"""
        scope: str | None = path
        while scope is not None:
            if scope == ancestor:
                return True
            scope = self.scopes[scope].parent
        return False

    def subtree(self, path: str) -> list[Op]:
        return [op for op in self.ops() if self.inside(op.scope, path)]

    def layers_of(self, path: str) -> Scope | None:
        """The repeated scope that `path` stands in, if any."""
        scope: str | None = path
        while scope is not None:
            if self.scopes[scope].role == "layers":
                return self.scopes[scope]
            scope = self.scopes[scope].parent
        return None

    def block_of(self, path: str) -> Scope | None:
        scope: str | None = path
        while scope is not None:
            if self.scopes[scope].role == "block":
                return self.scopes[scope]
            scope = self.scopes[scope].parent
        return None

    def stacks(self) -> dict[str, Scope]:
        """The scope of each stack; a model's only stack is the model itself."""
        found = {s.stack: s for s in self.scopes.values() if s.role == "stack"}
        return found or {self.scopes[""].stack: self.scopes[""]}

    @property
    def depths(self) -> dict[str, int]:
        """How many layers each stack has."""
        return {name: stack.layers for name, stack in self.stack_facts.items()}

    def decided(self) -> bool:
        """Does the input of every stack decide how many tokens it has, as an image does?"""
        return self.lengths.keys() >= self.stack_facts.keys()

    def weight_name(self, op: Op, weight: Weight) -> str:
        """The logical name, with `{layer}` where it stands in a layer."""
        parts = (self.scopes[op.scope].weights, op.name, weight.name)
        return ".".join(part for part in parts if part)

    def weights(self) -> Iterator[LogicalWeight]:
        """Every stored weight once: ties and shared layers are not counted again."""
        for op in self.ops():
            block = self.block_of(op.scope)
            for weight in op.weights:
                if weight.tied:
                    continue
                template = self.weight_name(op, weight)
                shape = tuple(int(size) for size in weight.shape)
                if block is None:
                    yield LogicalWeight(template, shape, op.number, weight)
                    continue
                for module in block.stored:
                    name = template.replace("{layer}", str(module))
                    yield LogicalWeight(name, shape, op.number, weight)

    def __repr__(self) -> str:
        total = sum(weight.weight.count for weight in self.weights())
        lines = [f"ModuleGraph {self.name}: {len(self)} ops, {total:,} weights"]
        for op in self.ops():
            outputs = ", ".join(str(self.values[v]) for v in op.outputs)
            names = ", ".join(self.values[v].name or v for v in op.inputs if v)
            lines.append(f"  {op.scope or 'model':<36} {outputs} = {op.kind}({names})")
        return "\n".join(lines)
