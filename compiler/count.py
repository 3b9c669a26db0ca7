"""Sum the costs of a graph over its ops: weights by part, FLOPs.

An op in a `layers` scope is multiplied by the number of layers of its kind (its weights: by the
number of stored modules), so counting does not take longer for deep models.

Lengths are letters: T new tokens and S tokens including cached ones in a decoder, M tokens of a
memory (the T of that stack is also written M). A stack that another one continues has its letter.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from .axes import Dim, M, Shape
from .cost import Poly, elements
from .facts import PartFact
from .graph import ModuleGraph, Op, Value
from .ops import OPS
from .other_kernels import GroupKernel, kernels_of_groups, lacks
from .stack_lengths import memories

PARTS = ("embedding", "positions", "attention", "feed_forward", "norm", "head", "other")
BRANCHES = {
    "attention": "attention",
    "cross_attention": "attention",
    "feed_forward": "feed_forward",
    "conv": "other",
    "gru": "other",
    "lstm": "other",
}
TABLES = {
    "position_embedding": "positions",
    "relative_embedding": "positions",
    "embedding_projection": "embedding",
}


@dataclass(frozen=True)
class Attend:
    """One attend op: its scope, its layers, and its costs with all pairs."""

    scope: str
    layers: tuple[int, ...]
    formula: str
    kernel: str
    reason: str
    op: Op
    flops: Poly
    scores: Poly  # sum of B * H * T * S over its layers
    crosses: bool  # reads a memory
    lacks: dict[str, str]  # other kernel -> why it is not used
    groups: tuple[GroupKernel, ...] = ()  # of heads with masks of their own


def part_of(graph: ModuleGraph, op: Op) -> str:
    """The part of the report in which an op is counted: its branch or head, else its own."""
    if op.origin[:1] == ("heads",):
        return "head"
    row = OPS[op.kind]
    if row.part == "positions":
        return "positions"
    for name in op.scope.split("."):
        if (branch := name.rstrip("0123456789")) in BRANCHES:
            return BRANCHES[branch]
    for ending, part in TABLES.items():  # may have the name of a block as a prefix
        if op.name.endswith(ending):
            return part
    return row.part if row.part in PARTS else "other"


def layers_of(graph: ModuleGraph, op: Op) -> int:
    """Number of layers that run an op."""
    block = graph.block_of(op.scope)
    return 1 if block is None else len(block.layer_indices)


def stored_layers(graph: ModuleGraph, stack: str) -> int:
    """Number of layers of a stack with their own weights."""
    scopes = [s for s in graph.scopes.values() if s.role == "layers" and s.stack == stack]
    return len({module for scope in scopes for module in scope.modules})


def weights_by_part(graph: ModuleGraph) -> dict[str, int]:
    """Number of parameters of each part. Tied weights are counted once, where they are stored."""
    counts = dict.fromkeys(PARTS, 0)
    for op in graph.ops():
        own = sum(weight.count for weight in op.weights if not weight.tied)
        if own:
            block = graph.block_of(op.scope)
            stored = 1 if block is None else len(block.stored)
            counts[part_of(graph, op)] += own * stored
    return counts


def active_weights(graph: ModuleGraph) -> int:
    """Number of parameters used for one token: without the experts that it does not choose.

    All experts have the same size, so this does not depend on the choice.
    """
    total = 0
    for op in graph.ops():
        own = sum(weight.count for weight in op.weights if not weight.tied)
        if own:
            block = graph.block_of(op.scope)
            stored = 1 if block is None else len(block.stored)
            share = Fraction(op.attrs.get("top_k", 1), op.attrs.get("experts", 1))
            total += int(own * stored * share)
    return total


def flops_by_part(graph: ModuleGraph, lengths: Lengths | None = None) -> dict[str, Poly]:
    """The FLOPs of each part in one forward pass, without attend ops."""
    lengths = lengths or Lengths(graph)
    totals = dict.fromkeys(PARTS, Poly())
    for op in graph.ops():
        if op.kind != "attend":
            cost = OPS[op.kind].flops(op, lengths.values(op))
            part = part_of(graph, op)
            totals[part] = totals[part] + layers_of(graph, op) * cost
    return totals


def attends(graph: ModuleGraph, lengths: Lengths | None = None) -> Iterator[Attend]:
    """All attend ops, in order of computation."""
    lengths = lengths or Lengths(graph)
    for op in graph.ops():
        if op.kind != "attend":
            continue
        block = graph.block_of(op.scope)
        layers = block.layer_indices if block is not None else (0,)
        values = lengths.values(op)
        query, key = (values[op.arg(slot)].shape for slot in ("q", "k"))
        pairs = elements(query[:-1]) * elements(key[-2:-1])
        yield Attend(
            scope=op.scope,
            layers=layers,
            formula=str(op.attrs["formula"]),
            kernel=op.attrs.get("kernel", ""),
            reason=op.attrs.get("reason", ""),
            op=op,
            flops=len(layers) * OPS["attend"].flops(op, values),
            scores=len(layers) * pairs,
            crosses=lengths.crosses(op),
            lacks=lacks(graph, op, crosses=lengths.crosses(op)),
            groups=kernels_of_groups(graph, op),
        )


class Lengths:
    """The letters of lengths, for the whole model.

    A stack whose input determines the number of tokens (an image) has this number instead.
    """

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self.memories = memories(graph)
        self._hidden = {value: stack for stack, value in graph.hidden.items()}
        self.shares = dict(_shares(graph))
        self.of_heads = _read_by_heads(graph)
        self.read = dict(self._read_from_memories())
        self.of_memories = _changed_memories(graph)
        self.pooled = _pooled_by_stacks(graph)
        self._found: dict[int, dict[str, Value]] = {}
        self._joined: dict[tuple[str, str], Value] = {}

    def of_memory(self, op: Op) -> bool:
        """Whether the outputs of this op have the length of a memory."""
        scope = self.graph.scopes[op.scope]
        return scope.stack in self.memories or scope.role == "method"

    def crosses(self, op: Op) -> bool:
        """Whether an attend op is cross-attention."""
        return op.arg("k") in self.read

    def _read_from_memories(self) -> Iterator[tuple[str, Dim]]:
        """Keys and values of memories, and what is computed from them alone -> their length."""
        found: dict[str, Dim] = {}
        methods: dict[str, Dim] = {}
        for op in self.graph.ops():
            if self.graph.scopes[op.scope].role == "method":
                if op.scope not in methods:
                    methods[op.scope] = self.of_what(op)
                found |= dict.fromkeys(op.outputs, methods[op.scope])
            elif "x" in op.slots and op.arg("x") in found:
                found |= dict.fromkeys(op.outputs, found[op.arg("x")])
        yield from found.items()

    def values(self, op: Op) -> dict[str, Value]:
        """The values of an op, with M for lengths of a memory."""
        if op.number not in self._found:
            self._found[op.number] = self._values(op)
        return self._found[op.number]

    def _values(self, op: Op) -> dict[str, Value]:
        touched = {name: self.graph.values[name] for name in (*op.inputs, *op.outputs) if name}
        if self.graph.parts and (reader := self._reader(op)) in self.graph.parts:
            touched = {name: self._of_joined(name, reader) for name in touched}
        if axes := self.graph.axes.get(self.graph.scopes[op.scope].stack):
            return {name: _with_tokens(each, axes) for name, each in touched.items()}
        head = self.of_heads.get(op.number, "") or self.of_memories.get(op.number, "")
        head = self.pooled.get(op.number, head)
        if head in self.graph.lengths or op.number in self.pooled:
            touched = {name: _measured(each, self.length(head)) for name, each in touched.items()}
        elif self.of_memory(op) or self.graph.scopes[op.scope].stack in self.graph.lengths:
            length = self.of_what(op)
            touched = {name: _measured(value, length) for name, value in touched.items()}
        for name in self.read.keys() & touched.keys():
            touched[name] = _measured(touched[name], self.read[name])
        return touched

    def _reader(self, op: Op) -> str:
        """The stack of an op; of one outside of stacks, such as a shared embedding, its reader."""
        if stack := self.graph.scopes[op.scope].stack:
            return stack
        readers = [
            self.graph.scopes[one.scope].stack for one in self.graph.consumers(op.outputs[0])
        ]
        return next((reader for reader in readers if reader), "")

    def _of_joined(self, name: str, stack: str) -> Value:
        """A value of a stack with joined inputs."""
        key = name, stack
        if key not in self._joined:
            self._joined[key] = _shared(self.graph.values[name], self.graph.parts[stack])
        return self._joined[key]

    def length(self, stack: str) -> Dim:
        """Length of a stack that another reads, or whose input determines its length."""
        size = self.graph.lengths.get(stack)
        return self.shares.get(stack, M) if size is None else Dim("T", size)

    def of_what(self, op: Op) -> Dim:
        """Length of the memory that an op computes or reads."""
        scope = self.graph.scopes[op.scope]
        if scope.role != "method":
            return self.length(scope.stack)
        hidden = self._hidden
        for each in self.graph.ops(op.scope):
            for value in each.inputs:
                if value in hidden:
                    return self.length(hidden[value])
        return M


def _shares(graph: ModuleGraph) -> Iterator[tuple[str, Dim]]:
    """The length of each stack that is one of the inputs of another, and that is not known."""
    for parts in graph.parts.values():
        for part in parts:
            if part.input.stack and part.length is None:
                yield part.input.stack, _share(Dim(part.letter), parts)


def _read_by_heads(graph: ModuleGraph) -> dict[int, str]:
    """Op of a head -> the stack whose hidden states it uses."""
    stacks = {value: stack for stack, value in graph.hidden.items()}
    found: dict[int, str] = {}
    for op in graph.ops():
        if graph.scopes[op.scope].stack:
            continue
        for value in op.inputs:
            if value in stacks:  # of several, the first
                found[op.number] = stacks[value]
                stacks.update(dict.fromkeys(op.outputs, stacks[value]))
                break
    return found


def _changed_memories(graph: ModuleGraph) -> dict[int, str]:
    """Op of a stack that changes the hidden states of a memory for all layers -> that memory."""
    stacks = {value: stack for stack, value in graph.hidden.items()}
    found: dict[int, str] = {}
    for op in graph.ops():
        lengths = [dim.label for name in op.outputs for dim in graph.values[name].shape]
        if M.label not in lengths or graph.scopes[op.scope].role == "method":
            continue
        for value in op.inputs:
            if value in stacks:
                found[op.number] = stacks[value]
                stacks.update(dict.fromkeys(op.outputs, stacks[value]))
                break
    return found


def _pooled_by_stacks(graph: ModuleGraph) -> dict[int, str]:
    """Op that pools the hidden states of another stack, or scores them for this -> that stack."""
    stacks = {value: stack for stack, value in graph.hidden.items()}
    found: dict[int, str] = {}
    for op in graph.ops():
        stack = graph.scopes[op.scope].stack
        if op.kind != "pool" or not stack or stacks.get(op.arg("x"), stack) == stack:
            continue
        made = [graph.producer(value) for value in op.inputs if value]
        for each in (op, *(one for one in made if one is not None and one.scope == op.scope)):
            found[each.number] = stacks[op.arg("x")]
    return found


def _with_tokens(value: Value, axes: Container[str]) -> Value:
    """The value with T tokens along each of these axes of streams."""
    shape = tuple(replace(dim, label="T") if dim.label in axes else dim for dim in value.shape)
    return replace(value, shape=shape)


def _measured(value: Value, length: Dim) -> Value:
    return replace(value, shape=as_long_as(value.shape, length))


def as_long_as(shape: Shape, length: Dim) -> Shape:
    """The shape with this letter instead of T, S or M."""
    return tuple(_measured_axis(dim, length) for dim in shape)


def _measured_axis(dim: Dim, length: Dim) -> Dim:
    product, _, less = dim.label.partition("-")
    times, _, letter = product.rpartition("*")
    letter, _, parts = letter.partition("/")
    if letter == "M" and not less and dim.size is not None:  # without the skipped vectors
        return dim
    if letter not in ("T", "S", "M") or not (times or "1").isdigit():
        return replace(dim, parts=as_long_as(dim.parts, length)) if dim.parts else dim
    if parts:  # of a joined input, whose whole length is not known
        return replace(dim, label=dim.label.replace(letter, length.label))
    return (length.times(int(times)) if times else length).less(int(less or 0))


def _shared(value: Value, parts: tuple[PartFact, ...]) -> Value:
    """The value with lengths of joined inputs."""
    return replace(value, shape=tuple(_share(dim, parts) for dim in value.shape))


def _share(dim: Dim, parts: tuple[PartFact, ...]) -> Dim:
    """The length of a joined input; those that are not known are taken to be equal."""
    free = [part.letter for part in parts if part.length is None]
    known = {part.letter: part.length for part in parts if part.length is not None}
    rest = sum(int(length) for length in known.values())

    product, _, less = dim.label.partition("-")
    times, _, letter = product.rpartition("*")
    if letter not in free and letter not in known:
        inner = tuple(_share(each, parts) for each in dim.parts)
        return replace(dim, parts=inner) if inner else dim
    n = int(times or 1)
    if letter in known:
        return replace(dim, size=n * known[letter] - int(less or 0))
    short = n * rest / len(free) + int(less or 0)
    return Dim(f"{n}*T/{len(free)}" + (f"-{short:g}" if short else ""))
