"""Costs of one decoding step: FLOPs, weights that are read, and the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .axes import Dim, S, Shape
from .cost import Poly, elements
from .count import Lengths, layers_of
from .graph import ModuleGraph, Op, Value
from .ops import OPS
from .reach import most
from .sizes import Size
from .storages import Storages

ONE = Size.of(1)


@dataclass(frozen=True)
class Step:
    """A step with one new token for each of B sequences, after which S tokens are cached.

    flops     of the whole step, over all cached keys, whatever the mask
    weights   parameters read once per step: all except embedding tables and experts
    rows      parameters of embedding tables that are read for each sequence
    experts   for each layer with experts: parameters, number of experts, experts per token
    """

    stack: str
    flops: Poly
    weights: int
    rows: int
    experts: tuple[tuple[int, int, int], ...]

    def weights_read(self, batch: int) -> float:
        """Parameters that a step reads, if routing is uniform and independent.

        With A of X experts per token, B tokens use X (1 - (1 - A/X)^B) experts on average.
        """
        total: float = self.weights + batch * self.rows
        for numbers, experts, chosen in self.experts:
            total += numbers * (1 - (1 - chosen / experts) ** batch)
        return total


class StepLengths(Lengths):
    """Lengths in a decoding step: T is 1, and S what a layer keeps of `tokens` tokens."""

    def __init__(self, graph: ModuleGraph, tokens: int) -> None:
        super().__init__(graph)
        self.seen = {
            op.scope: Dim("S", Size.of(min(tokens, most(op.attrs["kept"]) + 1)))
            for op in graph.ops()
            if op.kind == "cache" and op.attrs.get("kept") is not None
        }

    def values(self, op: Op) -> dict[str, Value]:
        found = super().values(op)
        known = {"T": Dim("T", ONE), "S": self.seen.get(op.scope, S)}
        return {name: replace(v, shape=_known(v.shape, known)) for name, v in found.items()}


def _known(shape: Shape, known: dict[str, Dim]) -> Shape:
    """The shape with these axes in place of those of the same letter."""
    return tuple(
        known.get(dim.label) or (replace(dim, parts=_known(dim.parts, known)) if dim.parts else dim)
        for dim in shape
    )


def decoding_stack(graph: ModuleGraph) -> str | None:
    """The stack with a cache; None if there is none."""
    keepers = graph.keepers()
    return graph.scopes[keepers[0].scope].stack if keepers else None


def decoding_step(graph: ModuleGraph, tokens: int) -> Step | None:
    """The costs of a step after which `tokens` tokens are seen; None without a cache."""
    stack = decoding_stack(graph)
    if stack is None:
        return None
    ops = list(_ops_of_step(graph, stack))
    lengths = StepLengths(graph, tokens)
    flops = Poly()
    for op in ops:
        flops = flops + layers_of(graph, op) * OPS[op.kind].flops(op, lengths.values(op))
    return Step(stack, flops, *_read(graph, ops))


def _ops_of_step(graph: ModuleGraph, stack: str) -> Iterator[Op]:
    """The ops of the stack and of its heads, without those that run once: per memory, or for
    vectors that stand among the tokens of a prompt.
    """
    after, once = {graph.hidden[stack]}, _placed(graph)
    for op in graph.ops():
        scope = graph.scopes[op.scope]
        if not once.isdisjoint(op.outputs):
            continue
        if scope.stack == stack and scope.role != "method":
            yield op
        elif not after.isdisjoint(op.inputs):
            after.update(op.outputs)
            yield op


def _placed(graph: ModuleGraph) -> set[str]:
    """Vectors that replace tokens, and what they are computed from."""
    found: set[str] = set()
    waiting = [op.arg("rows") for op in graph.ops() if op.kind == "place_rows"]
    while waiting:
        value = waiting.pop()
        producer = graph.producer(value) if value and value not in found else None
        found.add(value)
        waiting += [] if producer is None else producer.inputs
    return found - {""}


def _read(graph: ModuleGraph, ops: list[Op]) -> tuple[int, int, tuple[tuple[int, int, int], ...]]:
    """Weights that are read in full, rows of tables, and experts."""
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


def cached(graph: ModuleGraph, tokens: int, *, static: bool = False) -> dict[str, Poly]:
    """Elements of a cache for `tokens` tokens: keys and values (or latents) of S tokens and of all
    memories, in the dtype of the activations (`float`), and sums of linear attention, at least
    float32 (`wide`). A layer with a window has room for its last tokens (see `bound_caches`).

    static: that of a file built with `--static-cache`
    """
    lengths = Lengths(graph)
    kept, sums = Poly(), Poly()
    for op in graph.ops():
        if op.kind == "cache":
            bound = op.attrs.get("kept")
            rule = slots if static else places
            known = {} if bound is None else {"S": Dim("S", Size.of(rule(most(bound), tokens)))}
            for name in op.outputs:
                shape = _known(graph.values[name].shape, known)
                kept = kept + layers_of(graph, op) * elements(shape)
        if op.kind == "attend_linearly" and op.attrs["cached"]:  # independent of the length
            key, value = (graph.values[op.arg(slot)].shape for slot in ("k", "v"))
            sums = sums + layers_of(graph, op) * elements((*key[:2], key[-1], value[-1]))
        if op.kind == "recur" and op.attrs["cached"]:
            state = int(op.attrs["hidden"].size) * (2 if op.attrs["cell"] == "lstm" else 1)
            kept = kept + layers_of(graph, op) * state * elements(
                graph.values[op.arg("x")].shape[:1]
            )
    return {"float": kept + _of_memories(lengths), "wide": sums}


def _of_memories(lengths: Lengths) -> Poly:
    """Elements of keys and values of memories; what several layers keep of one storage, once."""
    graph, storages = lengths.graph, Storages(lengths)
    caching = {graph.scopes[op.scope].stack for op in graph.keepers()}
    found: dict[str, Poly] = {}
    for op in graph.ops():
        scope = graph.scopes[op.scope]
        if scope.role != "method" or scope.stack not in caching:  # a method reads a memory, once
            continue
        for name in op.outputs:
            if any(user.scope != op.scope for user in graph.consumers(name)):
                root = storages.root(name) or name
                own = storages.home(root) == storages.home(name)
                layers = layers_of(graph, op) if own else 1
                found[root] = layers * storages.stored(root)[1]
    return sum(found.values(), Poly())


def places(kept: int, tokens: int) -> int:
    """The places of a cache for so many previous tokens, with room to slide, for `tokens` tokens.

    It is the rule of `Cache.append` in emitted files.
    """
    return min(tokens, kept + kept // 16 + 1)


def slots(kept: int, tokens: int) -> int:
    """The slots of a static cache for so many previous tokens, for `tokens` tokens.

    It is the rule of `RingCache.append` in the runtime.
    """
    return max(1, min(kept, tokens))
