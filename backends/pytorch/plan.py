"""The plan of an emitted file: which scopes are classes, and the parameters of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import wraps
from operator import attrgetter
from typing import Any, TypeVar

from ...compiler.axes import fields_in
from ...compiler.graph import ModuleGraph, Op, Scope
from ...compiler.index import Index
from ...compiler.ops import OPS
from ...compiler.stack_lengths import continuing
from ...records import record
from .code.nodes import Expr, Parameter
from .code.read import constant, expression
from .items import Item, external, items_of
from .options import BuildOptions

ENTRIES = ("argument", "layer_input")  # ops that a parameter of a function stands for
ANNOTATIONS = {
    "tensor": "Tensor",
    "tiles": "list[Tile]",
    "tiles of heads": "list[list[Tile]]",
    "block mask": "BlockMask",
    "table": "Tensor",
    "causal": "bool",
    "cache": "Cache | None",
    "layer": "int",
    "bundle": "tuple[Tensor, ...]",
    "optional bundle": "tuple[Tensor | None, ...]",
    "bundle with tiles": "tuple[Any, ...]",
}
DEFAULTS = {"causal": False, "cache": None}
"""Defaults of optional parameters of modules."""

CHOSEN = ("lenient", "lenient_masks", "joined", "class_names", "class_arguments", "unneeded")
"""Attributes of a plan that are filled in when classes are written."""

R = TypeVar("R")


def remembered(method: Callable[..., R]) -> Callable[..., R]:
    """A cached method of the plan."""
    return _remembered(method, attrgetter("memory"))


def of_graph(method: Callable[..., R]) -> Callable[..., R]:
    """A cached method that depends on the graph only: all plans of a graph share its results."""
    return _remembered(method, attrgetter("graph_memory"))


def _remembered(method: Callable[..., R], memory_of: Callable[[Any], Any]) -> Callable[..., R]:
    name = method.__name__

    @wraps(method)
    def look_up(plan: Any, *args: Any) -> R:
        memory, key = memory_of(plan), (name, *args)
        found: R | None = memory.get(key)
        if found is None:
            found = memory[key] = method(plan, *args)
        return found

    return look_up


@record(frozen=True)
class Given:
    """A parameter of a function.

    kind  tensor · tiles (a mask as runs of queries with their keys) · table (a weight of another
          module) · causal (`is_causal` of SDPA) · cache · layer (the index) · bundle (the inputs of
          one module of a block, as a tuple)
    """

    name: str
    value: str = ""  # id of a tensor in the graph
    kind: str = "tensor"
    optional: bool = False
    by_default: bool = False  # has a default
    by_name: bool = False  # calls name it

    def parameter(self) -> Parameter:
        word = ANNOTATIONS[self.kind]
        if self.optional:
            word += " | None"
        default = constant(DEFAULTS.get(self.kind)) if self.by_default else None
        return Parameter(self.name, expression(word), default)


@dataclass(frozen=True)
class LayerInput:
    """A parameter that all blocks of a stack have; `values` by block.

    It is optional in all blocks if its value may be None in one.
    """

    name: str
    values: dict[str, str]
    optional: bool

    @property
    def varies(self) -> bool:
        return len(set(self.values.values())) > 1


def with_one_mask(found: list[Given]) -> list[Given]:
    """The parameters, with the mask of a memory named `mask` if there is no other mask."""
    if [g.name for g in found if g.name.endswith("mask")] != ["memory_mask"]:
        return found
    return [replace(g, name="mask") if g.name == "memory_mask" else g for g in found]


class FilePlan:
    """What the classes of a file share: signatures, names of values, class names."""

    def __init__(
        self, graph: ModuleGraph, options: BuildOptions, *, causal_given: bool = False
    ) -> None:
        self.graph = graph
        self.index = Index(graph)
        self.fields = {field.name: field for field in graph.fields}
        keys = Counter(field.key for field in self.fields.values())
        self.repeated = {key for key, count in keys.items() if count > 1}
        self.options = options
        self.causal_given = causal_given  # stacks pass `is_causal` to their layers
        self.bundling = False  # layers get the inputs of their attention as a tuple
        self.plain = False  # write modules without `cache` and `is_causal`
        self.unmasked = False  # … and without `mask`
        self.lenient: set[str] = set()  # modules with optional `cache` and `is_causal`
        self.lenient_masks: set[str] = set()  # … and `mask`
        self.joined: set[str] = set()  # attentions to a memory in a class for tokens, too
        self.class_names: dict[str, str] = {}  # scope -> its class
        self.class_arguments: dict[str, dict[str, Expr]] = {}  # scope -> more arguments
        self.unneeded: dict[str, set[str]] = {}  # scope -> parameters its class lacks
        self.cached = {graph.scopes[op.scope].stack for op in graph.keepers()}
        self.memory: dict[Any, Any] = {}
        self.graph_memory: dict[Any, Any] = {}

    def written_as(self, **changes: bool) -> FilePlan:
        """The same plan with another value of `causal_given` or `bundling`."""
        other = copy(self)
        vars(other).update(changes, memory={})
        for name in CHOSEN:
            setattr(other, name, getattr(self, name).copy())
        return other

    @remembered
    def as_plain(self, unmasked: bool) -> FilePlan:
        """The same plan, with modules without `cache` and `is_causal`, and maybe without `mask`."""
        other = copy(self)
        other.plain, other.unmasked, other.cached, other.memory = True, unmasked, set(), {}
        return other

    def once(self, make: Callable[[ModuleGraph], R]) -> R:
        """What this function makes of the graph, which all plans of the graph share."""
        found: R | None = self.graph_memory.get(make)
        if found is None:
            found = self.graph_memory[make] = make(self.graph)
        return found

    # -- contents of scopes

    def ops(self, path: str) -> list[Op]:
        """The ops in a scope and below it."""
        return self.index.subtree[path]

    @of_graph
    def items(self, path: str) -> list[Item]:
        return items_of(self.graph, self.index, path, self.external)

    @of_graph
    def external(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return external(self.graph, self.index, self.ops(path))

    def stack_of_layers(self, path: str) -> str:
        """The `layers` scope of a block, since all blocks of a stack have the same signature."""
        scope = self.graph.scopes[path]
        return scope.parent or "" if scope.role == "block" else path

    @remembered
    def uses_cache(self, path: str) -> bool:
        if self.graph.scopes[path].stack not in self.cached:
            return False
        ops = self.ops(self.stack_of_layers(path))
        scopes = self.graph.scopes
        return any(
            scopes[op.scope].role == "method" or op.kind == "cache" or op.attrs.get("cached")
            for op in ops
        )

    def counts_layers(self, path: str) -> bool:
        """Whether the scope uses the layer index."""
        return self._layers_counted(self.stack_of_layers(path))

    @of_graph
    def _layers_counted(self, stack: str) -> bool:
        return any(OPS[op.kind].uses_layer for op in self.ops(stack))

    @remembered
    def takes_is_causal(self, path: str) -> bool:
        """Whether the scope has an argument `is_causal`, because SDPA applies its causal mask."""
        if not self.causal_given or self.plain:
            return False
        if self.graph.scopes[path].role not in ("module", "block"):
            return False
        return self._attends_causally(self.stack_of_layers(path))

    @of_graph
    def _attends_causally(self, stack: str) -> bool:
        return any(op.kind == "attend" and op.attrs["causal"] for op in self.ops(stack))

    def layer_by_call(self, path: str) -> bool:
        """Whether layers share modules, so that the layer index must be passed in calls."""
        layers = self.graph.layers_of(path)
        return layers is not None and self.has_shared_layers(layers.path)

    @of_graph
    def has_shared_layers(self, path: str) -> bool:
        """Whether several layers of this scope share a module."""
        modules = self.graph.scopes[path].modules
        return len(set(modules)) < len(modules)

    def knows_layer(self, path: str) -> bool:
        used = self.uses_cache(path) or self.counts_layers(path)
        return used and not self.layer_by_call(path)

    # -- values

    @of_graph
    def value_name(self, value: str, scope: str) -> str:
        """Parameter name of a value."""
        towers = self.compared(scope)
        if value in towers:
            return towers[value]
        place = self.graph.scopes[scope]
        in_module = place.role in ("module", "method") and self.graph.layers_of(scope) is not None
        for stack, hidden in self.graph.hidden.items():
            if hidden == value and place.stack not in ("", stack):
                if in_module:
                    return "memory"
                if self.is_input(stack):
                    return "x" if place.role == "module" else f"{stack}_states"
                readers = [s for s in self.graph.hidden if s != place.stack]
                read = [s for s in readers if self.is_read(s) and not self.is_input(s)]
                several = len(read) > 1
                return f"{stack}_memory" if several else "memory"
        found = self.graph.values[value]
        return (found.base if in_module else "") or found.name or "x"

    @of_graph
    def compared(self, scope: str) -> dict[str, str]:
        """The hidden states that a head of several stacks reads, with the names of variables."""
        if self.graph.scopes[scope].origin[:1] != ("heads",):
            return {}
        read, _ = self.external(scope)
        found = {h: self.result_name(s) for s, h in self.graph.hidden.items() if h in read}
        return found if len(found) > 1 else {}

    @of_graph
    def result_name(self, stack: str) -> str:
        """The variable for the output of a stack: its name, unless an argument has this name."""
        arguments = {
            self.graph.values[op.outputs[0]].name
            for op in self.index.ops[""]
            if op.kind == "argument"
        }
        return f"{stack}_states" if stack in arguments else stack

    @of_graph
    def reads_memory(self, path: str) -> bool:
        """Whether the keys and values of an attention are those of a memory."""
        return any(child.role == "method" for child in self.index.children[path])

    @of_graph
    def is_read(self, stack: str) -> bool:
        """Whether another stack reads this one."""
        readers = self.index.consumers[self.graph.hidden[stack]]
        return any(self.graph.scopes[op.scope].stack not in ("", stack) for op in readers)

    def is_input(self, stack: str) -> bool:
        """Whether the vectors of this stack are inputs of others."""
        return any(stack in fact.inputs for fact in self.graph.stack_facts.values())

    def is_continued(self, stack: str) -> bool:
        """Whether its vectors, all of them and no others, are the tokens of another stack."""
        return bool(continuing(self.graph, stack))

    @of_graph
    def shared_values(self, layers: str) -> list[str]:
        """Values that the layers of a stack read but do not compute, such as masks."""
        inputs, _ = self.external(layers)
        return [value for value in inputs if value not in self.graph.scopes[layers].sources]

    @of_graph
    def layer_inputs(self, layers: str) -> list[LayerInput]:
        """Parameters of a stack's blocks besides the hidden states, by their names in the block.

        Kinds of blocks with different masks or angles have one parameter; the loop over the layers
        chooses the value.
        """
        blocks = self.index.children[layers]
        if len(blocks) > 1:
            found = self._by_base(layers)
            if found is not None:
                return found
        names = {v: self.value_name(v, blocks[0].path) for v in self.shared_values(layers)}
        return [
            LayerInput(name, {b.path: v for b in blocks}, self.may_be_none(v))
            for v, name in names.items()
        ]

    def _by_base(self, layers: str) -> list[LayerInput] | None:
        """The values by name in a block; None if a block reads two with the same name."""
        blocks = self.index.children[layers]
        groups: dict[str, list[str]] = {}
        for value in self.shared_values(layers):
            name = self.graph.values[value].base or self.value_name(value, blocks[0].path)
            groups.setdefault(name, []).append(value)
        found = []
        for name, values in groups.items():
            given: dict[str, str] = {}
            for block in blocks:
                own = [value for value in self.external(block.path)[0] if value in values]
                if len(own) > 1:
                    return None
                given[block.path] = own[0] if own else values[0]
            found.append(LayerInput(name, given, any(map(self.may_be_none, {*given.values()}))))
        return found

    @remembered
    def bundle(self, layers: str) -> str:
        """The module of each block whose inputs are passed as a tuple; empty if there is none."""
        return self.may_bundle(layers) if self.bundling else ""

    @of_graph
    def may_bundle(self, layers: str) -> str:
        """The module whose inputs could be passed to blocks as a tuple; empty if there is none.

        It alone reads the inputs of a block, and kinds of blocks differ in which these are.
        """
        blocks = self.index.children[layers]
        if len(blocks) < 2:
            return ""
        readers = {self._only_reader(block) for block in blocks}
        if len(readers) > 1 or None in readers:
            return ""
        (name,) = readers
        given = {
            tuple(g.name for g in self._module_inputs(f"{block.path}.{name}")) for block in blocks
        }
        return str(name) if len(given) > 1 else ""

    def _only_reader(self, block: Scope) -> str | None:
        """The only module that reads the inputs of a block; None if there are others."""
        given = {*self.external(block.path)[0]}.intersection(self.shared_values(block.parent or ""))
        if given.intersection(value for op in self.index.ops[block.path] for value in op.inputs):
            return None
        readers = [
            child
            for child in self.index.children[block.path]
            if given.intersection(self.external(child.path)[0])
        ]
        if len(readers) != 1 or readers[0].role != "module":
            return None
        own = [g.value for g in self._module_inputs(readers[0].path)]
        return readers[0].name if len(own) == len(given) + 1 and own[0] not in given else None

    @remembered
    def bundled(self, block: str) -> tuple[str, ...]:
        """The values of the tuple that is passed to a block, in order; empty if there is none."""
        name = self.bundle(self.graph.scopes[block].parent or "")
        return tuple(g.value for g in self._module_inputs(f"{block}.{name}")[1:]) if name else ()

    @of_graph
    def several_stacks(self) -> bool:
        """Whether the model has more than one stack."""
        return len([s for s in self.graph.scopes.values() if s.role == "layers"]) > 1

    @of_graph
    def tables(self, path: str) -> dict[str, str]:
        """Weights of other modules that this one uses, and their names here."""
        found: dict[str, str] = {}
        for op in self.ops(path):
            for weight in op.weights:
                if weight.tied and op.kind == "linear":
                    found.setdefault(weight.tied, "table" if not found else f"table{len(found)}")
        return found

    def has_several(self, path: str, key: str) -> bool:
        """Whether a class reads several fields of the Config with this key: its ops, and the checks
        of the integers that a stack is given.
        """
        return key in self.repeated and len(self._fields_by_key(path).get(key, ())) > 1

    @of_graph
    def _fields_by_key(self, path: str) -> dict[str, set[str]]:
        methods = [s.path for s in self.index.children[path] if s.role == "method"]
        ops = [op for scope in (path, *methods) for op in self.index.ops[scope]]
        is_stack = self.graph.scopes[path].role == "stack"
        given = [self.graph.values.get(one.value) for one in self.given(path) if is_stack]
        shapes = [value.shape for value in given if value is not None and value.dtype == "int"]
        found: dict[str, set[str]] = {}
        for field in fields_in([*(op.attrs for op in ops), *shapes]):
            found.setdefault(field.key, set()).add(field.name)
        return found

    # -- signatures

    def given(self, path: str) -> list[Given]:
        """The parameters of a scope's `forward`, in order."""
        lenient = path in self.lenient
        found = [*self._inputs(path)]
        if self.unmasked and self.own_mask(path):
            found.pop()
        if path in self.lenient_masks:
            found[-1] = replace(found[-1], by_default=True)
        found = [*found, *(Given(name, kind="table") for name in self.tables(path).values())]
        if self.takes_is_causal(path):
            found.append(Given("causal", kind="causal", by_default=lenient))
        if self.uses_cache(path):
            found.append(Given("cache", kind="cache", by_default=lenient))
        counts = self.uses_cache(path) or self.counts_layers(path)
        if counts and self.layer_by_call(path):
            found.append(Given("layer", kind="layer"))
        return self._memory_last(found) if path in self.joined else found

    def _memory_last(self, given: list[Given]) -> list[Given]:
        """These of an attention to a memory, in the order of a class for tokens, too."""
        hidden = self.graph.hidden.values()
        memory = [replace(one, by_name=True) for one in given if one.value in hidden]
        others = [one for one in given if one.value not in hidden]
        return [*(replace(one, by_name=not one.value) for one in others), *memory]

    @remembered
    def own_mask(self, path: str) -> str:
        """The mask of a module or block that could be optional: its last input; empty if none."""
        last = self._inputs(path)[-1:]
        if not last or last[0].name != "mask" or not last[0].optional or self.tables(path):
            return ""
        readers = [op for op in self.ops(path) if last[0].value in op.inputs]
        masked = all(op.kind == "attend" and op.arg("mask") == last[0].value for op in readers)
        return last[0].value if masked and not any(op.arg("bias") for op in readers) else ""

    @remembered
    def _inputs(self, path: str) -> list[Given]:
        scope = self.graph.scopes[path]
        if scope.role != "block":
            return self._module_inputs(path)
        streams = [Given(self.value_name(enter, path), enter) for enter, _ in scope.carries]
        inputs = self.layer_inputs(scope.parent or "")
        if module := self.bundle(scope.parent or ""):
            kind = "optional bundle" if any(one.optional for one in inputs) else "bundle"
            if any(self.kind(value) != "tensor" for one in inputs for value in one.values.values()):
                kind = "bundle with tiles"
            return [*streams, Given(f"{module}_inputs", kind=kind)]
        found = streams
        for one in inputs:
            value = one.values[path]
            found.append(Given(one.name, value, self.kind(value), optional=one.optional))
        return with_one_mask(found)

    @of_graph
    def _module_inputs(self, path: str) -> list[Given]:
        found = [self.tensor(value, path) for value in self.external(path)[0]]
        last = set(self.graph.hidden.values()) - self.compared(path).keys()
        found.sort(key=lambda g: g.value in last and g.name != "x")
        found.sort(key=lambda g: (g.optional, g.name != "x"))
        return with_one_mask(found)

    def parameters(self, given: Iterable[Given]) -> tuple[Parameter, ...]:
        """`self`, and a parameter for each; arguments and inputs of a layer have their ops."""
        return Parameter("self"), *(self._parameter(one) for one in given)

    def _parameter(self, given: Given) -> Parameter:
        made = given.parameter()
        op = self.graph.producer(given.value) if given.value else None
        if op is None or op.kind not in ENTRIES:
            return made
        number = frozenset({op.number})
        return Parameter(made.name, made.annotation, made.default, origins=number)

    def tensor(self, value: str, path: str) -> Given:
        layers = self.graph.layers_of(path)
        inputs = self.layer_inputs(layers.path) if layers is not None else []
        own = [one.optional for one in inputs if value in one.values.values()]
        optional = any(own) or self.may_be_none(value)
        return Given(self.value_name(value, path), value, self.kind(value), optional=optional)

    def kind(self, value: str) -> str:
        """The kind of a value: a tensor, a mask in tiles, or one for each group of heads."""
        producer = self.graph.producer(value)
        if producer is not None and producer.kind == "mask" and producer.attrs.get("flex"):
            return "block mask"
        if producer is None or not producer.attrs.get("tiles"):
            return "tensor"
        return "tiles of heads" if producer.kind == "head_masks" else "tiles"

    def may_be_none(self, value: str) -> bool:
        """Whether a value may be None in a module; without a memory, no module is called."""
        return self.graph.values[value].optional and value not in self.graph.hidden.values()

    def class_of(self, scope: Scope) -> str:
        return self.class_names[scope.path]
