"""A table of the modules of a model: shape, parameters, FLOPs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .axes import Shape
from .cost import elements
from .count import Lengths
from .graph import ModuleGraph, Op, Scope
from .index import Index
from .op_costs import OpCosts

CLASSES = {
    "convolve": "Conv1d",
    "convolve_image": "Conv2d",
    "embedding": "Embedding",
    "group_norm": "GroupNorm",
    "layer_norm": "LayerNorm",
    "linear": "Linear",
    "pair_bias": "Embedding",
    "patchify": "Conv2d",
    "relative_bias": "Embedding",
    "rms_norm": "RMSNorm",
    "table": "Embedding",
}
"""Ops that are modules of their own; weights of others are parameters of the enclosing module."""


def class_of(op: Op) -> str:
    """The class of the module of an op."""
    if op.kind == "patchify" and op.attrs["tubelet"]:
        return "Conv3d"
    return CLASSES.get(op.kind, "Parameter")


@dataclass(frozen=True)
class LayerRow:
    """One module, or one kind of layer.

    name     dotted name, with `{layer}` in layers
    kind     its class, before equal names are distinguished
    depth    nesting depth: following rows with a greater depth are its submodules
    shape    shape of its output
    layers   the layers that it represents; empty outside layers
    stored   number of these layers with their own weights
    weights  parameters of one of them
    flops    FLOPs of one of them in a forward pass of the whole batch, without masked scores
    """

    name: str
    kind: str
    depth: int
    shape: tuple[int, ...]
    layers: tuple[int, ...]
    stored: int
    weights: int
    flops: float

    @property
    def times(self) -> int:
        """How often it runs in a forward pass."""
        return max(1, len(self.layers))

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "shape": list(self.shape),
            "layers": list(self.layers),
            "flops": round(self.flops),
        }


def layer_rows(graph: ModuleGraph, costs: OpCosts, at: dict[str, int]) -> tuple[LayerRow, ...]:
    """The rows in order of computation, each kind of layer once.

    costs: costs of the same graph
    at: batch size and lengths of these costs
    """
    return tuple(_Rows(graph, costs, at).below("", 0))


class _Rows:
    def __init__(self, graph: ModuleGraph, costs: OpCosts, at: dict[str, int]) -> None:
        self.graph, self.costs, self.at = graph, costs, at
        self.index = Index(graph)
        self.lengths = Lengths(graph)

    def below(self, path: str, depth: int) -> Iterator[LayerRow]:
        """The direct children of a scope, sorted by their first op."""
        parts: list[Op | Scope] = [*self.index.ops[path], *self.index.children[path]]
        for part in sorted(parts, key=self.place):
            if isinstance(part, Op):
                if self.counts([part]):
                    yield self.row(class_of(part), [part], depth, part)
            elif not self.index.subtree[part.path]:  # a stack that returns its input
                continue
            elif part.role in ("stack", "block"):
                yield self.scope(part, depth)
                yield from self.below(part.path, depth + 1)
            elif part.role == "layers":
                yield from self.below(part.path, depth)
            elif self.counts(self.index.subtree[part.path]):
                yield self.scope(part, depth)

    def place(self, part: Op | Scope) -> int:
        ops = [part] if isinstance(part, Op) else self.index.subtree[part.path]
        return min((op.number for op in ops), default=0)

    def counts(self, ops: list[Op]) -> bool:
        """Whether it has weights or FLOPs."""
        return any(op.weights for op in ops) or any(self.costs.flops[op.number] for op in ops)

    def scope(self, scope: Scope, depth: int) -> LayerRow:
        ops = self.index.subtree[scope.path]
        return self.row(scope.noun, ops, depth, self.last(ops), scope)

    def row(
        self, kind: str, ops: list[Op], depth: int, last: Op, scope: Scope | None = None
    ) -> LayerRow:
        block = self.graph.block_of(ops[0].scope)
        layers = () if block is None else block.layer_indices
        stored = 1 if block is None else len(block.stored)
        weights, flops = self.costs.of(ops)
        own = self.graph.scopes[ops[0].scope].weights if scope is None else scope.weights
        if scope is None:
            own = ".".join(part for part in (own, last.name or last.kind) if part)
        return LayerRow(
            name=own,
            kind=kind,
            depth=depth,
            shape=self.numbers(self.lengths.values(last)[last.outputs[0]].shape),
            layers=layers,
            stored=stored,
            weights=weights // max(1, stored),
            flops=flops / max(1, len(layers)),
        )

    def last(self, ops: list[Op]) -> Op:
        """The op whose result is the output of a scope."""
        inside = {op.number for op in ops}
        for op in reversed(ops):
            readers = [r for v in op.outputs for r in self.index.consumers[v]]
            if any(reader.number not in inside for reader in readers):
                return op
        return ops[-1]

    def numbers(self, shape: Shape) -> tuple[int, ...]:
        return tuple(round(elements((dim,)).at(**self.at)) for dim in shape)
