"""Tensors saved for the backward pass, as formulas: the sum of the ops' rules.

Several ops may save the same tensor, or views of one storage. Each storage counts once: tensors of
a layer once per layer, the hidden states between two layers once, and tensors computed before the
layers once for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from .cost import Poly, elements
from .count import Lengths
from .graph import ModuleGraph, Op, Scope
from .ops import OPS
from .ops.saved import OUT, Own
from .storages import Storages
from .tile_counts import TileCounts

Sizes = dict[str, Poly]
"""Number of elements by kind: float, wide (at least float32), int (8 bytes) and bool."""


@dataclass(frozen=True)
class Kept:
    """Elements saved by one training step, by kind.

    total   saved for the backward pass, including the loss
    layers  the inside of one layer of each kind, which gradient checkpointing recomputes
    """

    total: Sizes
    layers: tuple[Sizes, ...]


@dataclass
class _Block:
    """Storages saved by the ops of one kind of layer.

    values  storages that the layer creates
    own     tensors that are not values of the graph
    enters  the inputs of the layer that are saved
    behind  whether an op after the layers saves their output
    """

    values: set[str] = field(default_factory=set)
    own: Sizes = field(default_factory=dict)
    enters: set[str] = field(default_factory=set)
    behind: bool = False


def kept_by_training(
    graph: ModuleGraph,
    *,
    fused: bool = False,
    narrow: bool = False,
    single: bool = False,
    checkpointed: bool = False,
    tiles: TileCounts | None = None,
    parts: Mapping[str, int] | None = None,
    lengths: Lengths | None = None,
) -> Kept:
    """Elements that autograd saves in a training step, including the loss.

    fused         with GPU kernels instead of those of the CPU (see `ops.saved`)
    narrow        activations have fewer than 4 bytes
    single        the batch is one sequence, of which some copies are views
    checkpointed  with `--gradient-checkpointing`: only the inputs of layers
    tiles         what tiles read for the number of tokens; None: sequences too short for tiles
    parts         value -> number of devices that each compute an equal part of it
    lengths       those of the graph, where several counts share them

    Without padding and other optional arguments. Not counted are weights, gradients, the optimizer,
    arguments, and tensors that are freed before the backward pass.
    """
    lengths = lengths or Lengths(graph)
    count = SavedCount(lengths, fused=fused, narrow=narrow, single=single, tiles=tiles, parts=parts)
    return count.kept(checkpointed=checkpointed)


class SavedCount(Storages):
    """Counts which storages are saved.

    The arguments are those of `kept_by_training`. What does not depend on checkpointing is computed
    once for several calls of `kept`.
    """

    def __init__(
        self,
        lengths: Lengths,
        *,
        fused: bool,
        narrow: bool,
        single: bool,
        tiles: TileCounts | None,
        parts: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(lengths, fused=fused, narrow=narrow, single=single, tiles=tiles)
        self.parts = parts or {}
        self.clear()

    def clear(self) -> None:
        """Begin a count."""
        self.checkpointed = False
        scopes = self.graph.scopes.values()
        self.blocks = {scope.path: _Block() for scope in scopes if scope.role == "block"}
        self.outside: set[str] = set()  # storages created outside of layers
        self.own: Sizes = {}  # unnamed tensors that ops outside of layers save

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Values that the results depend on by a path of values that need a gradient.

        Only the indices of the chosen experts may be used: then autograd saves nothing of scores.
        """
        found = {end for scope in self.graph.scopes.values() for _, end in scope.carries}
        found.update(self.graph.outputs.values())
        for op in reversed(list(self.graph.ops())):
            if not self.needs.isdisjoint(found.intersection(op.outputs)):
                found.update(op.inputs)
        return frozenset(found & self.needs)

    # -- the count

    def kept(self, *, checkpointed: bool) -> Kept:
        self.clear()
        self.checkpointed = checkpointed
        for op, saved in self.saved:
            for each in saved:
                self.keep(op, each)
        if checkpointed:
            self.checkpoint()
        whole: list[Sizes] = [self.own]
        stacks = [scope for scope in self.graph.scopes.values() if scope.role == "layers"]
        for scope in reversed(stacks):  # a later op may save the result of an earlier one
            whole.append(self.between(scope))
        layers = {path: self.inside(path, block) for path, block in self.blocks.items()}
        for path, inside in layers.items() if not checkpointed else ():
            whole.append(_times(len(self.graph.scopes[path].layer_indices), inside))
        whole.append(self.sum_of(self.outside))
        if not checkpointed and self.needs != self.needed_at_first:
            whole += self.less_at_first(layers)
        loss = loss_keeps(self.graph, self.lengths, single=self.single, narrow=self.narrow)
        if len(self.graph.outputs) == 1:
            (logits,) = self.graph.outputs.values()
            loss = {kind: self.part(count, logits) for kind, count in loss.items()}
        return Kept(_sum([*whole, loss]), tuple(layers.values()))

    def less_at_first(self, layers: Mapping[str, Sizes]) -> Iterator[Sizes]:
        """What each stack's first layer saves, minus what its later ones do. It saves less if its
        input needs no gradient.
        """
        first = SavedCount(
            self.lengths,
            fused=self.fused,
            narrow=self.narrow,
            single=self.single,
            tiles=self.tiles,
            parts=self.parts,
        )
        first.needs = self.needed_at_first
        for op, saved in first.saved:
            for each in saved:
                first.keep(op, each)
        for scope in self.graph.scopes.values():
            if scope.role == "layers" and scope.order:
                path = f"{scope.path}.{scope.order[0]}"
                yield first.inside(path, first.blocks[path])
                yield _times(-1, layers[path])

    @cached_property
    def saved(self) -> list[tuple[Op, list[str | Own]]]:
        """What each op saves."""
        return [(op, list(self.of_op(op))) for op in self.graph.ops()]

    def of_op(self, op: Op) -> Iterator[str | Own]:
        """What one op saves: storages of values, and other tensors."""
        if self.wanted.isdisjoint(op.outputs):
            return
        for each in OPS[op.kind].saves(self.saving(op)):
            if isinstance(each, Own):
                yield each
                continue
            value = self.root(op.outputs[0] if each == OUT else op.arg(each))
            if value:
                yield value

    def keep(self, op: Op, each: str | Own) -> None:
        block = self.graph.block_of(op.scope)
        path = "" if block is None else block.path
        if isinstance(each, Own):
            part = self.part(each.elements, op.outputs[0])
            _add(self.blocks[path].own if path else self.own, each.kind, part)
        elif path and self.streams.get(each) == path:
            self.blocks[path].enters.add(each)
        elif path and self.home(each) == path:
            self.blocks[path].values.add(each)
        else:
            self.keep_outside(each)

    def keep_outside(self, value: str) -> None:
        """Mark a storage as saved outside of the layer that creates it."""
        home = self.home(value)
        if home:
            self.blocks[home].behind = True
        else:
            self.outside.add(value)

    def end(self, path: str, stream: int) -> str:
        """The storage of a layer's output in a stream."""
        return self.root(self.graph.scopes[path].carries[stream][1])

    def enters(self, path: str, stream: int) -> bool:
        """Whether the ops of a layer save its input."""
        return self.graph.scopes[path].carries[stream][0] in self.blocks[path].enters

    def checkpoint(self) -> None:
        """Save the inputs of layers: hidden states and values from outside."""
        for op in self.graph.ops():
            block = self.graph.block_of(op.scope)
            if block is None:
                continue
            self.blocks[block.path].enters |= {enter for enter, _ in block.carries}
            for value in op.inputs:
                root = self.root(value) if value else ""
                if root and root not in self.streams and not self.home(root):
                    self.outside.add(root)

    def between(self, scope: Scope) -> Sizes:
        """Saved hidden states between layers and after the last one."""
        paths = [f"{scope.path}.{kind}" for kind in scope.order]
        if not paths:
            return {}
        total: Sizes = {}
        neighbours = Counter(pairwise(paths))
        for stream, entry in enumerate(scope.sources):
            source = self.root(entry)
            if self.enters(paths[0], stream) and source:
                self.keep_outside(source)
            for (path, following), times in neighbours.items():
                if self.ends(path, stream) or self.enters(following, stream):
                    kind, count = self.stored(self.end(path, stream))
                    _add(total, kind, times * count)
            if self.ends(paths[-1], stream) or any(self.blocks[path].behind for path in {*paths}):
                _add(total, *self.stored(self.end(paths[-1], stream)))
        return total

    def ends(self, path: str, stream: int) -> bool:
        """Whether the ops of a layer save its output, and not only for as long as they run."""
        return not self.checkpointed and self.end(path, stream) in self.blocks[path].values

    def inside(self, path: str, block: _Block) -> Sizes:
        """What one layer saves, without the hidden states shared with its neighbours."""
        streams = range(len(self.graph.scopes[path].carries))
        return _sum([block.own, self.sum_of(block.values - {self.end(path, i) for i in streams})])

    def sum_of(self, values: set[str]) -> Sizes:
        total: Sizes = {}
        for value in values:
            kind, count = self.stored(value)
            _add(total, kind, self.part(count, value))
        return total

    def part(self, count: Poly, value: str) -> Poly:
        """The elements that one device has of a value."""
        parts = self.parts.get(value, 1)
        return count if parts == 1 else count * (1 / parts)


def loss_keeps(graph: ModuleGraph, lengths: Lengths, *, single: bool, narrow: bool) -> Sizes:
    """What the loss of a single head saves: log-probabilities, labels, and the sum of the labels'
    weights, one number for each cross-entropy.
    """
    if len(graph.heads) != 1:
        return {}
    (head,) = graph.heads.values()
    (value,) = graph.outputs.values()
    op = graph.producer(value)
    assert op is not None
    shape = lengths.values(op)[value].shape
    scores, rows = elements(shape), elements(shape[:-1])
    if head.loss == "next_token":  # all tokens but the last; the labels of several are a copy
        batch = elements(shape[:-2])
        labels = Poly() if single else rows + -1 * batch
        return {"wide": scores + -1 * batch * elements(shape[-1:]) + 1, "int": labels}
    if head.loss == "labels":
        return {"wide": scores + 1}
    if head.loss == "squares":  # the targets are an argument, of which other dtypes are a copy
        return {"wide": (2 if narrow else 1) * scores}
    if head.loss == "softmax_pairs":
        return {"wide": 2 * scores + 2, "int": rows}
    if head.loss == "softmax_towers":  # each cross-entropy copies the labels, which are expanded
        return {"wide": 2 * scores + 2, "int": 2 * rows}
    if head.loss in ("sigmoid_pairs", "sigmoid_towers"):  # all pairs of towers share the signs
        return {"wide": 2 * scores + elements(shape[-2:])}
    return {}


def _add(total: Sizes, kind: str, count: Poly) -> None:
    total[kind] = total.get(kind, Poly()) + count


def _sum(parts: list[Sizes]) -> Sizes:
    total: Sizes = {}
    for part in parts:
        for kind, count in part.items():
            _add(total, kind, count)
    return total


def _times(factor: int, sizes: Sizes) -> Sizes:
    return {kind: factor * count for kind, count in sizes.items()}
