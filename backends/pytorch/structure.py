"""What the classes of one emitted file agree on: signatures, shared values, class names."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

from ...compiler.graph import ModuleGraph, Op, Scope
from .items import external
from .options import BuildOptions
from .text import Line

COUNTED = ("by_layer", "decay_rates")  # ops that compute with the number of their layer
SHARED_LIMIT = 3  # more shared values than this travel in one dataclass


@dataclass
class Needs:
    """What a file or class must have because of what its functions say."""

    helpers: set[tuple[str, str]] = field(default_factory=set)
    attributes: dict[str, str] = field(default_factory=dict)  # name -> expression over config
    masks: dict[str, Op] = field(default_factory=dict)  # function name -> mask op
    layer: bool = False


@dataclass(frozen=True)
class Parameter:
    name: str
    value: str = ""  # the value id, or "" for a table, the cache, or the layer's number
    annotation: str = "Tensor"
    default: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")


@dataclass
class ClassText:
    """An emitted class, before it has its name: those that it uses have theirs."""

    scope: Scope
    noun: str
    lines: list[Line] = field(default_factory=list)
    name: str = ""
    constructor: list[Line] = field(default_factory=list)  # the part of the lines that makes it
    base: str = "nn.Module"
    needs: Needs = field(default_factory=Needs)

    def key(self) -> str:
        return "\n".join(f"{line.indent}{line.text}#{line.comment}" for line in self.lines)


class Structure:
    """What the classes of one file agree on: signatures, names of shared values, class names."""

    def __init__(
        self, graph: ModuleGraph, *, options: BuildOptions, causal_given: bool = False
    ) -> None:
        self.graph = graph
        self.options = options
        self.causal_given = causal_given  # a stack tells its layers when the kernel masks
        self.plain = False  # modules as they would be without a cache and without a causal case
        self.lenient: set[str] = set()  # scopes that may be called without them
        self.classes: dict[str, ClassText] = {}
        self.cached = {graph.scopes[op.scope].stack for op in graph.keepers()}

    def as_plain(self) -> Structure:
        """The same file, if no module kept a cache or were told that it is causal."""
        other = copy(self)
        other.plain, other.cached = True, set()
        return other

    # -- facts about scopes

    def uses_cache(self, path: str) -> bool:
        scope = self.graph.scopes[path]
        if scope.stack not in self.cached:
            return False
        if scope.role == "block":  # the blocks of a stack are called alike
            path = scope.parent or ""
        ops = self.graph.subtree(path)
        read = any(self.graph.scopes[op.scope].role == "method" for op in ops)
        return read or bool(self.graph.keepers(path))

    def counts_layers(self, path: str) -> bool:
        """Does it compute with the number of its layer?"""
        if self.graph.scopes[path].role == "block":  # the blocks of a stack are called alike
            path = self.graph.scopes[path].parent or ""
        return any(op.kind in COUNTED for op in self.graph.subtree(path))

    def told_causal(self, path: str) -> bool:
        """Is this scope told by its stack when the kernel makes the causal mask?"""
        scope = self.graph.scopes[path]
        if not self.causal_given or self.plain or scope.role not in ("module", "block"):
            return False
        if scope.role == "block":  # the blocks of a stack are called alike
            path = scope.parent or ""
        return any(op.kind == "attend" and op.attrs["causal"] for op in self.graph.subtree(path))

    def layer_by_call(self, path: str) -> bool:
        """Do layers share modules, so that a module cannot know which layer it serves?"""
        layers = self.graph.layers_of(path)
        return layers is not None and len(set(layers.modules)) < len(layers.modules)

    def knows_layer(self, path: str) -> bool:
        used = self.uses_cache(path) or self.counts_layers(path)
        return used and not self.layer_by_call(path)

    def value_name(self, value: str, scope: str) -> str:
        """What a parameter that carries this value is called."""
        towers = self.compared(scope)
        if value in towers:
            return towers[value]
        for stack, hidden in self.graph.hidden.items():
            if hidden == value and self.graph.scopes[scope].stack != stack and scope:
                if self.graph.layers_of(scope) and self.graph.scopes[scope].role not in (
                    "block",
                    "layers",
                ):
                    return "memory"
                readers = [s for s in self.graph.hidden if s != self.graph.scopes[scope].stack]
                several = len([s for s in readers if self.is_read(s)]) > 1
                return f"{stack}_memory" if several else "memory"
        found = self.graph.values[value]
        if self.graph.scopes[scope].role in ("module", "method") and self.graph.layers_of(scope):
            return found.base or found.name or "x"
        return found.name or "x"

    def compared(self, scope: str) -> dict[str, str]:
        """The hidden states that a head of several stacks reads, and the stacks' names."""
        if self.graph.scopes[scope].origin[:1] != ("heads",):
            return {}
        read, _ = external(self.graph, self.graph.subtree(scope))
        found = {h: stack for stack, h in self.graph.hidden.items() if h in read}
        return found if len(found) > 1 else {}

    def is_read(self, stack: str) -> bool:
        return any(
            self.graph.scopes[op.scope].stack not in ("", stack)
            for op in self.graph.consumers(self.graph.hidden[stack])
        )

    def annotation(self, value: str) -> str:
        return "Tensor | None" if self.graph.values[value].optional else "Tensor"

    def shared_values(self, layers: Scope) -> list[str]:
        """What every layer of a stack reads and none of them makes."""
        inputs, _ = external(self.graph, self.graph.subtree(layers.path))
        return [value for value in inputs if value != layers.source]

    def shared_class(self, layers: Scope) -> str:
        """The dataclass that carries them, if they are many."""
        if len(self.shared_values(layers)) <= SHARED_LIMIT:
            return ""
        several = len([s for s in self.graph.scopes.values() if s.role == "layers"]) > 1
        parent = self.graph.scopes[layers.parent or ""]
        return f"{parent.noun}Shared" if several and parent.noun else "Shared"

    def parameters(self, path: str) -> list[Parameter]:
        """The parameters of a scope's forward, in order."""
        scope = self.graph.scopes[path]
        found: list[Parameter] = []
        ops = self.graph.subtree(path)
        if scope.role == "block":
            layers = self.graph.scopes[scope.parent or ""]
            found.append(Parameter("x", scope.carry[0] if scope.carry else ""))
            shared = self.shared_class(layers)
            if shared:
                found.append(Parameter("shared", annotation=shared))
            else:
                found += [
                    Parameter(self.value_name(v, path), v, self.annotation(v))
                    for v in self.shared_values(layers)
                ]
        else:
            inputs, _ = external(self.graph, ops)
            found += [Parameter(self.value_name(v, path), v, self.annotation(v)) for v in inputs]
            last = set(self.graph.hidden.values()) - self.compared(path).keys()
            found.sort(key=lambda p: p.value in last and p.name != "x")
            found.sort(key=lambda p: ("None" in p.annotation, p.name != "x"))
        found += [Parameter(name) for name in self.tables(path).values()]
        lenient = path in self.lenient
        if self.told_causal(path):
            found.append(Parameter("causal", "", "bool", "False" if lenient else ""))
        if self.uses_cache(path):
            found.append(Parameter("cache", "", "Cache | None", "None" if lenient else ""))
        counts = self.uses_cache(path) or self.counts_layers(path)
        if counts and self.layer_by_call(path):
            found.append(Parameter("layer", annotation="int"))
        return found

    def tables(self, path: str) -> dict[str, str]:
        """Weights of other modules that this one multiplies by, and what they are called here."""
        found: dict[str, str] = {}
        for op in self.graph.subtree(path):
            for weight in op.weights:
                if weight.tied and op.kind == "linear":
                    found.setdefault(weight.tied, "table" if not found else f"table{len(found)}")
        return found

    # -- bodies

    def child_class(self, scope: Scope) -> str:
        return self.classes[scope.path].name
