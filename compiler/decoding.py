"""One step of decoding: what it computes, which weights it reads, what the cache holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .axes import Dim, Shape
from .cost import Poly, elements
from .count import Lengths, attends, layers_of
from .graph import ModuleGraph, Op, Value
from .ops import OPS
from .sizes import Size

ONE = Size.of(1)


@dataclass(frozen=True)
class Step:
    """One new token of each of B sequences, behind a cache of which S tokens are then seen.

    flops     of the whole step, over all cached keys, whatever the masks admit
    weights   numbers read once, whatever the batch: all but tables that are looked up, and experts
    rows      numbers of tables that are looked up, for each sequence
    experts   of each layer with experts: their numbers, how many there are, how many serve a token
    """

    stack: str
    flops: Poly
    weights: int
    rows: int
    experts: tuple[tuple[int, int, int], ...]

    def weights_read(self, batch: int) -> float:
        """Numbers that a step reads, if tokens choose experts evenly and apart from each other.

        Of X experts, of which A serve a token, B tokens are then served by X (1 - (1 - A/X)^B).
        """
        total: float = self.weights + batch * self.rows
        for numbers, experts, chosen in self.experts:
            total += numbers * (1 - (1 - chosen / experts) ** batch)
        return total


class StepLengths(Lengths):
    """The lengths in a step: one new token instead of T."""

    def values(self, op: Op) -> dict[str, Value]:
        found = super().values(op)
        return {name: replace(value, shape=_one_new(value.shape)) for name, value in found.items()}


def _one_new(shape: Shape) -> Shape:
    return tuple(
        Dim("T", ONE) if dim.label == "T" else replace(dim, parts=_one_new(dim.parts))
        for dim in shape
    )


def decoding_stack(graph: ModuleGraph) -> str | None:
    """The stack that keeps a cache; None for a model without one."""
    keepers = graph.keepers()
    return graph.scopes[keepers[0].scope].stack if keepers else None


def decoding_step(graph: ModuleGraph) -> Step | None:
    """The costs of one step; None for a model that keeps no cache."""
    stack = decoding_stack(graph)
    if stack is None:
        return None
    ops = list(_ops_of_step(graph, stack))
    lengths = StepLengths(graph)
    flops = Poly()
    for op in ops:
        flops = flops + layers_of(graph, op) * OPS[op.kind].flops(op, lengths.values(op))
    return Step(stack, flops, *_read(graph, ops))


def _ops_of_step(graph: ModuleGraph, stack: str) -> Iterator[Op]:
    """The ops of the stack, without what is made of a memory once, and what reads its result."""
    after = {graph.hidden[stack]}
    for op in graph.ops():
        scope = graph.scopes[op.scope]
        if scope.stack == stack and scope.role != "method":
            yield op
        elif not after.isdisjoint(op.inputs):
            after.update(op.outputs)
            yield op


def _read(graph: ModuleGraph, ops: list[Op]) -> tuple[int, int, tuple[tuple[int, int, int], ...]]:
    """Weights that are read whole, rows of tables, and experts."""
    whole, rows = 0, 0
    experts: list[tuple[int, int, int]] = []
    for op in ops:
        count = layers_of(graph, op) * sum(weight.count for weight in op.weights)
        if op.kind == "embedding":
            rows += int(op.attrs["out_dim"].size)
        elif "experts" in op.attrs and count:
            experts.append((count, int(op.attrs["experts"]), int(op.attrs["top_k"])))
        else:
            whole += count
    return whole, rows, tuple(experts)


def cached(graph: ModuleGraph) -> dict[str, Poly]:
    """What decoding keeps: keys and values (or latents) of S tokens and of every memory, in the
    dtype of the activations (`float`), and sums of linear attention, at least float32 (`wide`).
    """
    lengths = Lengths(graph)
    kept, sums = Poly(), Poly()
    caching = {graph.scopes[op.scope].stack for op in graph.keepers()}
    for op in graph.ops():
        if op.kind == "cache":
            for name in op.outputs:
                kept = kept + layers_of(graph, op) * elements(graph.values[name].shape)
        if op.kind == "attend_linearly" and op.attrs["cached"]:  # however long the text
            key, value = (graph.values[op.arg(slot)].shape for slot in ("k", "v"))
            sums = sums + layers_of(graph, op) * elements((*key[:2], key[-1], value[-1]))
    for attend in attends(graph):
        if attend.crosses and graph.scopes[attend.scope].stack in caching:
            values = lengths.values(attend.op)
            for name in (attend.op.arg("k"), attend.op.arg("v")):
                kept = kept + len(attend.layers) * elements(values[name].shape)
    return {"float": kept, "wide": sums}
