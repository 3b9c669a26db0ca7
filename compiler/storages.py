"""Which values share a storage, and how large it is."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

from .cost import Poly, elements
from .count import Lengths
from .graph import Op
from .ops import OPS
from .ops.saved import FREE, Saving
from .tile_counts import TileCounts


class Storages:
    """The storage of each value.

    fused   with GPU kernels instead of those of the CPU (see `ops.saved`)
    narrow  activations have fewer than 4 bytes
    single  the batch is one sequence
    tiles   what tiles read for the number of tokens; None: sequences too short for tiles
    """

    def __init__(
        self,
        lengths: Lengths,
        *,
        fused: bool = False,
        narrow: bool = False,
        single: bool = False,
        tiles: TileCounts | None = None,
    ) -> None:
        self.graph, self.lengths = lengths.graph, lengths
        self.fused, self.narrow, self.single, self.tiles = fused, narrow, single, tiles
        self.seen: dict[int, Saving] = {}
        scopes = self.graph.scopes.values()
        self.streams = {enter: scope.path for scope in scopes for enter, _ in scope.carries}

    def saving(self, op: Op) -> Saving:
        if op.number not in self.seen:
            self.seen[op.number] = Saving(
                op,
                self.lengths.values(op),
                self.needs,
                self.fused,
                self.narrow,
                self.single,
                lambda slot: self.source(op.arg(slot)),
                lambda slot: self.stored(op.arg(slot))[1],
                None if self.tiles is None else self.tiles.of(op),
            )
        return self.seen[op.number]

    def source(self, value: str) -> Saving | None:
        producer = self.graph.producer(value)
        return None if producer is None else self.saving(producer)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Values that need a gradient because they depend on a trained weight. The input of a layer
        is that of a later one, if there are several.
        """
        found = self.needed_at_first
        while later := self._read_later(found) - found:
            found = self._depending(found | later)
        return found

    @cached_property
    def needed_at_first(self) -> frozenset[str]:
        """The same in first layers: features that are not projected need no gradient."""
        return self._depending(frozenset())

    def _read_later(self, needed: frozenset[str]) -> frozenset[str]:
        """The inputs of layers that follow others whose outputs need a gradient."""
        return frozenset(
            self.graph.scopes[f"{layers.path}.{after}"].carries[stream][0]
            for layers in self.graph.scopes.values()
            for before, after in set(pairwise(layers.order))
            for stream in range(len(layers.sources))
            if self.graph.scopes[f"{layers.path}.{before}"].carries[stream][1] in needed
        )

    def _depending(self, inputs: frozenset[str]) -> frozenset[str]:
        """These values, and those that depend on them or on a trained weight."""
        found = set(inputs)
        for op in self.graph.ops():
            if OPS[op.kind].constant:
                continue
            learns = any(weight.trained for weight in op.weights)
            if learns or not found.isdisjoint(op.inputs):
                found.update(v for v in op.outputs if self.graph.values[v].dtype == "float")
        return frozenset(found)

    def root(self, value: str) -> str:
        """The value that owns the storage of this one; "" for a parameter or an argument."""
        while value and value not in self.streams:
            op = self.graph.producer(value)
            shared = () if op is None else OPS[op.kind].view(self.saving(op))
            if op is None or not shared:
                return value
            slot = shared[min(op.outputs.index(value), len(shared) - 1)]
            value = "" if slot == FREE else op.arg(slot)
        return value

    def stored(self, value: str) -> tuple[str, Poly]:
        """Kind and number of the stored elements of a value."""
        op = self.graph.producer(value)
        assert op is not None
        row = OPS[op.kind]
        if row.stores is not None:
            return row.stores(self.saving(op))
        return self.graph.values[value].dtype, elements(self.lengths.values(op)[value].shape)

    def home(self, value: str) -> str:
        """The kind of layer that computes a value; "" outside of layers."""
        block = self.graph.block_of(self.graph.scope_of(value))
        return "" if block is None else block.path
