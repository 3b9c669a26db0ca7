"""ModuleGraph, the central data structure.

Ops are nodes. A value that flows from one op to another is an edge, keyed by the argument slot, so
`x * x` has two edges. Scopes are the modules that contain the ops; layers of one kind share a
scope.

`graph.nx` returns it as a `networkx.MultiDiGraph`. A node is the number of an op, with the
attribute `op`; an edge has the attribute `value`, the id of the value. The output of a layer that
is the input of the next one is not an edge but the attribute `carries` of the block's scope, so the
graph has no cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..display import Displayed
from ..records import record
from .axes import Shape, show
from .facts import HeadFact, InitFact, InputFact, PartFact, SourceFact, StackFact, TokenFact
from .facts import Origin as Origin  # the origin of an op is a path in the spec
from .layer_rule import LayerRule
from .operands import Operands
from .order import in_order
from .sizes import Field, Size

if TYPE_CHECKING:
    import networkx as nx


@record(frozen=True, eq=False)
class Value:
    """A tensor: its name, symbolic shape and kind of numbers.

    `name` is "" if the value needs no variable; `optional` values may be None.
    """

    id: str
    name: str
    shape: Shape
    dtype: str = "float"  # float | int | bool
    optional: bool = False
    base: str = ""  # the name before equal names are distinguished

    def __str__(self) -> str:
        return f"{self.name or self.id} {show(self.shape)}"


@record(frozen=True, eq=False)
class Initial:
    """Initialisation of a weight: zeros · ones · constant (value) · normal.

    Normal weights follow the spec's `init`; with a value, that is their standard deviation instead.
    """

    kind: str
    value: float = 0.0
    residual: bool = False  # residual projection, scaled if `depth_scaled` is set


@record(frozen=True, eq=False)
class Weight:
    """A parameter of an op. `name` is `weight`, `bias`, or "" for a bare parameter.

    `tied` is the logical name of the weight that is used instead. Weights that are not `trained`
    get no gradient; the training loop sets them.
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


@record(frozen=True, eq=False)
class Op:
    """An operation. `kind` is a row of `ops.OPS`, `name` the attribute of its module."""

    number: int
    kind: str
    inputs: Operands  # ids of values by slot; "" for an absent one
    outputs: tuple[str, ...]
    scope: str
    name: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    origin: Origin = ()
    slots: tuple[str, ...] = ()  # name of each input; slots with several values are repeated

    def arg(self, slot: str) -> str:
        """The id of the value in a slot; "" if it is optional and absent.

        Raises LookupError for an unknown slot and for one with several values.
        """
        found = self._by_slot.get(slot) or self.args(slot)
        if len(found) > 1:
            raise LookupError(f"{self.kind}: `{slot}` holds {len(found)} values; `args` gives them")
        return found[0]

    def args(self, slot: str) -> tuple[str, ...]:
        """The ids of all values in a slot. Raises LookupError for an unknown slot."""
        found = self._by_slot.get(slot)
        if found is None:
            known = ", ".join(dict.fromkeys(self.slots)) or "none"
            raise LookupError(f"{self.kind} has no slot `{slot}`; its slots: {known}")
        return found

    @cached_property
    def _by_slot(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, value in zip(self.slots, self.inputs, strict=True):
            found[name] = (*found.get(name, ()), value)
        return found

    @property
    def first(self) -> str:
        """The value in its first slot; "" for an op without inputs."""
        return next(iter(self.inputs), "")


@record(frozen=True, eq=False)
class Scope:
    """A module, or a method of one, that contains ops.

    role     model · stack · layers · block · module · method
    path     dotted and unique; `""` is the model
    weights  prefix of the logical names of its weights; with `{layer}` inside a `layers` scope
    """

    path: str
    name: str
    role: str
    parent: str | None
    weights: str = ""
    noun: str = ""  # name of its class before collisions are resolved
    title: str = ""  # its docstring
    general: str = ""  # that of a class for attention to tokens and to a memory
    origin: Origin = ()
    stack: str = ""  # its stack
    # role layers
    layers: Size | None = None
    order: tuple[str, ...] = ()  # block of each layer
    rule: LayerRule | None = None  # the pattern and overrides behind `order`; None without them
    modules: tuple[int, ...] = ()  # index of the stored module of each layer
    carries: tuple[tuple[str, str], ...] = ()  # input and output of one layer, of each stream
    results: tuple[str, ...] = ()  # the value after the last layer, of each stream
    sources: tuple[str, ...] = ()  # the input of the first layer, of each stream
    # role block
    updates: tuple[tuple[str, ...], ...] = ()  # of each stream, its value after each sublayer
    layer_indices: tuple[int, ...] = ()
    stored: tuple[int, ...] = ()  # indices of the stored modules of this kind

    @property
    def carry(self) -> tuple[str, str] | None:
        """Input and output of one layer: those of the first stream."""
        return next(iter(self.carries), None)

    @property
    def result(self) -> str:
        """The value after the last layer: that of the first stream."""
        return next(iter(self.results), "")

    @property
    def source(self) -> str:
        """The input of the first layer: that of the first stream."""
        return next(iter(self.sources), "")


@dataclass(frozen=True, eq=False)
class LogicalWeight:
    """A weight by its logical name, such as `layers.3.attention.query.weight`."""

    name: str
    shape: tuple[int, ...]
    op: int
    weight: Weight


TABLES = (  # metadata
    "values",
    "producers",
    "scopes",
    "fields",
    "outputs",
    "hidden",
    "streams",
    "axes",
    "limits",
    "predicts_next",
    "uncached",
    "lengths",
    "parts",
    "heads",
    "inputs",
    "stack_facts",
)
FACTS = ("init", "tokens", "source")  # immutable, so copies share them


OP_FIELDS = tuple(Op.__dataclass_fields__)


class ModuleGraph(Displayed):
    """A model as ops, values and scopes. Passes map one graph to another; backends read it."""

    def __init__(self, name: str, class_name: str) -> None:
        self.name = name
        self.class_name = class_name
        self._ops: dict[int, Op] = {}
        self.values: dict[str, Value] = {}
        self.producers: dict[str, int] = {}
        self.scopes: dict[str, Scope] = {}
        self.fields: list[Field] = []
        self.outputs: dict[str, str] = {}  # head name, or "hidden_states", -> value id
        self.hidden: dict[str, str] = {}  # stack name -> value id of its output
        self.predicts_next: set[str] = set()  # causal, of tokens and no memory
        self.uncached: dict[str, str] = {}  # decoder without a cache -> the reason
        self.limits: dict[str, Size] = {}  # stack name -> maximum number of positions
        self.streams: dict[str, dict[str, str]] = {}  # stack -> stream -> value id of its output
        self.axes: dict[str, tuple[str, ...]] = {}  # stack with streams -> names of all axes
        self.lengths: dict[str, Size] = {}  # stack name -> number of tokens, if the input sets it
        self.parts: dict[str, tuple[PartFact, ...]] = {}  # stack with joined inputs -> each
        self.heads: dict[str, HeadFact] = {}  # in the order of the spec
        self.inputs: dict[str, InputFact] = {}  # stack name -> its first input
        self.stack_facts: dict[str, StackFact] = {}
        self.init = InitFact()
        self.tokens = TokenFact()
        self.source = SourceFact()
        self._order: list[int] | None = None  # None: must be computed again
        self._readers: dict[str, list[int]] | None = None  # value -> ops in order; likewise
        self._by_scope: dict[str, list[int]] | None = None  # scope -> the same; likewise

    # -- building

    def add_value(self, value: Value) -> str:
        self.values[value.id] = value
        return value.id

    def _rewired(self) -> None:
        """Forget what was computed from the inputs and outputs of ops."""
        self._order = self._readers = self._by_scope = None

    def add_op(self, op: Op) -> None:
        self._rewired()
        self._ops[op.number] = op
        for value in op.outputs:
            self.producers[value] = op.number

    def replace_op(self, number: int, **changes: Any) -> Op:
        """The same op with other attributes."""
        if not changes.keys().isdisjoint(("inputs", "outputs", "scope")):
            self._rewired()
        if "inputs" in changes:
            changes["inputs"] = Operands(changes["inputs"])
        old = self.op(number)
        values = {key: changes.get(key, getattr(old, key)) for key in OP_FIELDS}
        self._ops[number] = Op(**values)
        return self._ops[number]

    def remove_op(self, number: int) -> None:
        self._rewired()
        for value in self.op(number).outputs:
            self.producers.pop(value, None)
            self.values.pop(value, None)
        del self._ops[number]

    def copy(self) -> ModuleGraph:
        """A copy of the graph; ops, values and scopes are immutable and shared."""
        other = ModuleGraph(self.name, self.class_name)
        other._ops = self._ops.copy()
        other._order, other._readers = self._order, self._readers
        other._by_scope = self._by_scope
        for name in TABLES:
            setattr(other, name, getattr(self, name).copy())
        for name in FACTS:
            setattr(other, name, getattr(self, name))
        return other

    # -- reading

    def op(self, number: int) -> Op:
        return self._ops[number]

    def __len__(self) -> int:
        """Number of ops."""
        return len(self._ops)

    def __contains__(self, number: int) -> bool:
        return number in self._ops

    @property
    def nx(self) -> nx.MultiDiGraph[int]:
        """The graph as a new `networkx.MultiDiGraph`."""
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
        """All ops, or those directly in `scope`, in topological order.

        Raises graphlib.CycleError if there is a cycle.
        """
        if self._order is None:
            self._order = self._sorted()
        numbers = self._order if scope is None else self._in_scopes().get(scope, ())
        return list(map(self._ops.__getitem__, numbers))

    def _in_scopes(self) -> dict[str, list[int]]:
        """Scope -> the ops directly in it, in order."""
        if self._by_scope is None:
            self._by_scope = {}
            for op in self.ops():
                self._by_scope.setdefault(op.scope, []).append(op.number)
        return self._by_scope

    def _sorted(self) -> list[int]:
        made, ops = self.producers, self._ops
        if self._is_in_order():
            return sorted(ops)  # the order of creation
        needs = {
            op.number: {made[value] for value in op.inputs if made.get(value) in ops}
            for op in ops.values()
        }
        return in_order(needs)

    def _is_in_order(self) -> bool:
        """Whether each op was created after those whose results it reads."""
        for number, op in self._ops.items():
            for value in op.inputs:
                if self.producers.get(value, -1) >= number:
                    return False
        return True

    def producer(self, value: str) -> Op | None:
        number = self.producers.get(value)
        return None if number is None else self.op(number)

    def scope_of(self, value: str) -> str:
        """The scope in which a value is computed."""
        return self.op(self.producers[value]).scope

    def from_states(self, value: str) -> tuple[str, list[Op]]:
        """The stack from whose hidden states a value is computed, and the ops between them, last
        first.
        """
        stacks, between = {states: stack for stack, states in self.hidden.items()}, list[Op]()
        while value not in stacks:
            between.append(self.op(self.producers[value]))
            value = between[-1].first
        return stacks[value], between

    def keepers(self, path: str | None = None) -> list[Op]:
        """The ops (within a scope) whose results depend on a cache."""
        ops = self.ops() if path is None else self.subtree(path)
        return [op for op in ops if op.kind == "cache" or op.attrs.get("cached")]

    def consumers(self, value: str) -> list[Op]:
        """The ops that read a value, in topological order."""
        if self._readers is None:
            self._readers = {}
            for op in self.ops():
                for read in dict.fromkeys(op.inputs):
                    self._readers.setdefault(read, []).append(op.number)
        return [self._ops[number] for number in self._readers.get(value, ())]

    def children(self, path: str) -> list[Scope]:
        return [s for s in self.scopes.values() if s.parent == path]

    def inside(self, path: str, ancestor: str) -> bool:
        """Whether the scope `path` is `ancestor` or inside it."""
        scope: str | None = path
        while scope is not None:
            if scope == ancestor:
                return True
            scope = self.scopes[scope].parent
        return False

    def subtree(self, path: str) -> list[Op]:
        within = {scope for scope in self._in_scopes() if self.inside(scope, path)}
        return [op for op in self.ops() if op.scope in within]

    def layers_of(self, path: str) -> Scope | None:
        """The `layers` scope that contains `path`, or None."""
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
        """The scope of each stack; a single stack is the model itself."""
        found = {s.stack: s for s in self.scopes.values() if s.role == "stack"}
        return found or {self.scopes[""].stack: self.scopes[""]}

    def results_of(self, stack: str) -> tuple[str, ...]:
        """The values of a stack's output: its hidden states, or those of each of its streams."""
        return tuple(self.streams.get(stack, {}).values()) or (self.hidden[stack],)

    @property
    def depths(self) -> dict[str, int]:
        """Number of layers of each stack."""
        return {name: stack.layers for name, stack in self.stack_facts.items()}

    def read_by(self, stack: str) -> list[InputFact]:
        """The inputs of a stack that are its sequence."""
        return [part.input for part in self.parts.get(stack, ())] or [self.inputs[stack]]

    def sources(self) -> list[InputFact]:
        """The inputs of all stacks."""
        return [fact for stack in self.inputs for fact in self.read_by(stack)]

    def decided(self) -> bool:
        """Whether the inputs of all stacks determine the number of tokens, as images do."""
        return self.lengths.keys() >= self.stack_facts.keys()

    def weight_name(self, op: Op, weight: Weight) -> str:
        """The logical name, with `{layer}` inside layers."""
        parts = (self.scopes[op.scope].weights, op.name, weight.name)
        return ".".join(part for part in parts if part)

    def weights(self) -> Iterator[LogicalWeight]:
        """All stored weights; tied weights and shared layers occur once."""
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
