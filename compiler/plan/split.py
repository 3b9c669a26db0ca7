"""Tensor parallelism from the graph: which weights can be divided over devices, and which not.

A column-wise linear layer computes a part of its outputs on each device, a row-wise one reads such
a part, and the sum of its results over the devices is an all-reduce (Shoeybi et al. 2019,
arXiv:1909.08053, section 3). Between both, ops act on each head or each hidden unit separately.
Such a region is found by walking back from the row-wise layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd

from ..graph import ModuleGraph, Op, Weight
from ..index import Index

FOLLOWED = {
    "activation": ("x",),
    "add": ("a", "b"),
    "attend": ("q", "k", "v", "bias"),
    "cache": ("first", "second"),
    "clamp": ("x",),
    "dropout": ("x",),
    "layer_norm": ("x",),
    "masked_bias": ("bias",),
    "merge_heads": ("x",),
    "multiply": ("a", "b"),
    "rms_norm": ("x",),
    "rotate": ("x",),
    "scale": ("x",),
    "sharpen": ("x",),
    "split_heads": ("x",),
}
"""Ops inside a region, and the inputs of which each device has a part."""
ALIKE = {
    "attend": ("mask",),
    "masked_bias": ("mask",),
    "rotate": ("cos", "sin"),
    "sharpen": ("sharpness",),
}
"""Their other inputs that may be given: the same for all heads."""
PER_HEAD = {"layer_norm", "rms_norm"}
"""Ops over the last axis, which must be that of one head."""
REASONS = {
    "alibi": "ALiBi slopes are numbered over all heads",
    "concat": "latent attention shares one rotated key between all heads",
    "expand_heads": "heads share their keys",
    "expert_linear": "experts are not divided",
    "layer_norm": "a norm covers all heads",
    "rms_norm": "a norm covers all heads",
    "head_masks": "heads have different masks",
    "head_matrix": "a matrix mixes the heads",
    "mix_vectors": "heads share their queries",
    "sinks": "each head has a sink",
    "zero_sinks": "each head has a sink",
    "score_vector": "each head has a score vector",
    "position_scores": "positions are scored for each head",
}
"""Why a region cannot be divided, by the op that prevents it."""


@dataclass(frozen=True)
class Region:
    """Ops that each device runs for a part of the heads or hidden units.

    columns  numbers of the column-wise linear layers
    row      number of the row-wise linear layer
    inner    numbers of the ops between them
    inputs   values that the column-wise layers read
    tables   numbers of the ops that look up a bias of each head
    units    the number of devices must divide this: heads and key-value heads, or hidden units
    """

    columns: frozenset[int]
    row: int
    inner: frozenset[int]
    inputs: frozenset[str]
    tables: frozenset[int]
    units: int


@dataclass(frozen=True)
class Split:
    """How a model is divided over `size` devices.

    regions     attentions and feed-forwards
    vocabulary  ops of token embeddings and heads that are divided over the vocabulary
    axes        op -> the axis of its first weight that is divided
    replicated  parts that every device has in full, and why
    """

    size: int
    regions: tuple[Region, ...] = ()
    vocabulary: tuple[int, ...] = ()
    axes: dict[int, int] = field(default_factory=dict)
    replicated: tuple[str, ...] = ()

    def divides(self, op: Op) -> bool:
        """Whether each device computes only a part of the op."""
        return op.number in self._ops

    @property
    def _ops(self) -> frozenset[int]:
        return frozenset(self.axes).union(*(each.inner for each in self.regions))

    def values(self, graph: ModuleGraph) -> frozenset[str]:
        """Values of which each device has a part: all but the sums over devices."""
        sums = {each.row for each in self.regions}
        sums |= {n for n in self.vocabulary if graph.op(n).kind == "embedding"}
        return frozenset(v for n in self._ops - sums for v in graph.op(n).outputs)

    def shape(self, op: Op, weight: Weight) -> tuple[int, ...]:
        """The shape of one device's part of a weight: the largest, if parts are unequal, as those
        of GPT-2's 50,257 tokens.
        """
        shape = [int(size) for size in weight.shape]
        axis = self.axes.get(op.number)
        if axis is None or axis >= len(shape):  # the bias of a row-wise layer is whole
            return tuple(shape)
        shape[axis] = -(-shape[axis] // self.size)
        return tuple(shape)


class _NotDividedError(Exception):
    """A region cannot be divided; the message says why, or is empty if there is no region."""


def split_of(graph: ModuleGraph, size: int) -> Split:
    """Divide a model over `size` devices; 1 divides nothing."""
    return Split(size) if size == 1 else divisible(graph, size)


def divisible(graph: ModuleGraph, size: int = 1) -> Split:
    """What can be divided over `size` devices; 1: over any suitable number (see `Region.units`)."""
    return _Finder(graph, size).split()


class _Finder:
    def __init__(self, graph: ModuleGraph, size: int) -> None:
        self.graph, self.size = graph, size
        self.consumers = Index(graph).consumers
        self.regions: list[Region] = []
        self.axes: dict[int, int] = {}
        self.reasons: list[tuple[str, str]] = []

    def split(self) -> Split:
        for op in self.graph.ops():
            if op.kind == "linear" and op.number not in self.axes:
                try:
                    self.add(op)
                except _NotDividedError as error:
                    if str(error):
                        self.reasons.append((self.place(op), str(error)))
        vocabulary = tuple(self.vocabulary())
        self.find_others()
        replicated = dict.fromkeys(f"{place}: {reason}" for place, reason in self.reasons)
        return Split(self.size, tuple(self.regions), vocabulary, self.axes, tuple(replicated))

    def place(self, op: Op) -> str:
        return self.graph.scopes[op.scope].weights.replace(".{layer}", "") or op.name

    def add(self, row: Op) -> None:
        """Add the region that ends with a linear layer. Raises _NotDividedError without one."""
        columns: dict[int, int] = {}
        inner: set[int] = set()
        self.walk(row.arg("x"), columns, inner)
        linear = {n for n in columns if self.graph.op(n).kind == "linear"}
        self.check(row, linear, inner)
        inputs = frozenset(self.graph.op(n).arg("x") for n in linear)
        tables = frozenset(columns.keys() - linear)
        units = self.units(linear, inner)
        self.regions.append(
            Region(frozenset(linear), row.number, frozenset(inner), inputs, tables, units)
        )
        self.axes |= {**columns, row.number: 1}

    def walk(self, value: str, columns: dict[int, int], inner: set[int]) -> None:
        """Collect the ops behind a value, back to the column-wise layers."""
        op = self.graph.producer(value)
        if op is None:
            raise _NotDividedError
        attends = any(self.graph.op(n).kind == "attend" for n in inner)
        if op.kind == "linear" and op.number not in self.axes:
            columns[op.number] = 0
        elif op.kind == "relative_bias":
            columns[op.number] = 1
        elif op.kind in FOLLOWED and not self.covers_heads(op):
            inner.add(op.number)
            self.look_at_other_inputs(op)
            for slot in FOLLOWED[op.kind]:
                if source := op.arg(slot):
                    self.walk(source, columns, inner)
        elif attends:
            unknown = f"`{op.kind}` is not divided over heads"
            raise _NotDividedError(REASONS.get(op.kind, unknown))
        else:
            raise _NotDividedError

    def covers_heads(self, op: Op) -> bool:
        """Whether a norm is over the width of all heads, not that of one."""
        return op.kind in PER_HEAD and len(self.graph.values[op.first].shape) < 4

    def look_at_other_inputs(self, op: Op) -> None:
        """Raise _NotDividedError for weights and inputs that differ between heads."""
        if op.attrs.get("per_head"):
            raise _NotDividedError("each head has a norm of its own")
        for slot in dict.fromkeys(op.slots):
            made = [self.graph.producer(value) for value in op.args(slot) if value]
            if slot in FOLLOWED[op.kind] or not made:
                continue
            for each in made:
                if each is not None and each.kind in REASONS.keys() - PER_HEAD:
                    raise _NotDividedError(REASONS[each.kind])
            if slot not in ALIKE.get(op.kind, ()):
                raise _NotDividedError(f"`{op.kind}` reads `{slot}`, which has all heads")
        if op.kind != "attend":
            return
        for name in ("heads", "kv_heads"):
            count = int(op.attrs[name].size)
            if count % self.size:
                raise _NotDividedError(f"{name} ({count}) is not a multiple of {self.size}")

    def units(self, columns: set[int], inner: set[int]) -> int:
        """Heads and key-value heads, or hidden units: their greatest common divisor."""
        attends = [self.graph.op(n) for n in inner if self.graph.op(n).kind == "attend"]
        heads = [int(op.attrs[name].size) for op in attends for name in ("heads", "kv_heads")]
        return gcd(*(heads or [int(self.graph.op(n).weights[0].shape[0]) for n in columns]))

    def check(self, row: Op, columns: set[int], inner: set[int]) -> None:
        """Raise _NotDividedError unless the region is divisible and nothing else reads in it."""
        if not columns or self.graph.block_of(row.scope) is None:
            raise _NotDividedError
        for number in columns | inner:
            op = self.graph.op(number)
            for value in op.outputs:
                readers = {each.number for each in self.consumers.get(value, ())}
                if op.kind != "masked_bias" and not readers <= inner | {row.number}:
                    raise _NotDividedError
        for number in columns:
            width = int(self.graph.op(number).weights[0].shape[0])
            if width % self.size:
                raise _NotDividedError(f"its width ({width}) is not a multiple of {self.size}")

    def vocabulary(self) -> Iterator[int]:
        """Divide token embeddings and language-model heads over the vocabulary."""
        sizes = {stack.vocab_size for stack in self.graph.stack_facts.values()}
        models = any(head.kind == "language_model" for head in self.graph.heads.values())
        ops = [op for op in self.graph.ops() if not self.graph.block_of(op.scope) and op.weights]
        tables = [op for op in ops if op.kind == "embedding"]
        heads = [op for op in ops if op.kind == "linear" and models]
        for op in ops:
            count = int(op.weights[0].shape[0])
            if count not in sizes or op not in (*tables, *heads):
                continue
            table = op.weights[0].tied or self.name(op)
            readers = [
                one
                for one in self.graph.ops()
                if one not in tables and any(weight.tied == table for weight in one.weights)
            ]
            alone = [one for one in readers if one in heads and len(one.weights) == 1]
            if readers and (readers != alone or len(readers) > 1 or readers[0].scope):
                reason = "the head that has its weight also has others, such as a bias"
                self.reasons.append((table.rpartition(".")[0], reason))
            else:
                self.axes[op.number] = 0
                yield op.number

    def name(self, op: Op) -> str:
        """The name of the first weight of an op."""
        scope = self.graph.scopes[op.scope].weights
        return f"{scope}.{op.name}.{op.weights[0].name}".lstrip(".")

    def find_others(self) -> None:
        """Name experts, and matrices inside layers for which no reason was found."""
        for op in self.graph.ops():
            if op.kind == "expert_linear":
                self.reasons.append((self.place(op), REASONS[op.kind]))
        known = {place for place, _ in self.reasons}
        for op in self.graph.ops():
            matrix = any(len(weight.shape) > 1 for weight in op.weights)
            inside = self.graph.block_of(op.scope) is not None
            if matrix and inside and op.number not in self.axes and self.place(op) not in known:
                self.reasons.append((self.place(op), "not between column- and row-wise layers"))
