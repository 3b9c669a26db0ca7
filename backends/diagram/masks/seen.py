"""The distinct masks of a model, and the layers and heads that use each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ....compiler.count import Lengths
from ....compiler.formula import Formula, plain
from ....compiler.graph import ModuleGraph, Op, Origin

LONGEST = 1024
"""Length for densities, if the model has no `max_positions`."""

Key = tuple[str, str, str, bool, "tuple[int, int, int] | None"]

KINDS = ("attend", "attend_linearly")
"""The ops that have a mask."""


@dataclass(frozen=True)
class Seen:
    """One mask of a model, and where it is used.

    formula   the formula with plain numbers
    stack     the stack of the queries; keys are of the same stack or of `memory`
    memory    the stack that cross-attention reads; "" for self-attention
    heads     first head, last head and number of heads; None for all
    blocks    the kinds of layers, if the stack has several
    layers    number of layers with this mask, of `depth`
    length    number of tokens for the density
    padded    whether keys can be padding
    sums      linear attention, which has no scores
    ops       the attention ops
    origin    path in the spec
    """

    formula: Formula
    stack: str
    memory: str
    heads: tuple[int, int, int] | None
    length: int
    depth: int
    padded: bool = True
    layers: int = 0
    blocks: tuple[str, ...] = ()
    sums: bool = False
    ops: tuple[Op, ...] = field(default=(), repr=False)
    origin: Origin = ()


def masks_of(graph: ModuleGraph) -> list[Seen]:
    """The distinct masks of each stack, in order of occurrence."""
    found: dict[Key, Seen] = {}
    counted: dict[Key, set[int]] = {}
    lengths = Lengths(graph)
    for op in graph.ops():
        if op.kind not in KINDS:
            continue
        block = graph.block_of(op.scope)
        for formula, heads in _by_heads(op):
            seen = _first(graph, op, formula, heads, crosses=lengths.crosses(op))
            key = (seen.stack, str(formula), seen.memory, seen.sums, heads)
            seen = found.get(key, seen)
            layers = counted.setdefault(key, set())
            layers.update((0,) if block is None else block.layer_indices)
            found[key] = replace(
                seen,
                layers=len(layers),
                blocks=tuple(dict.fromkeys([*seen.blocks, *_block(graph, op)])),
                ops=(*seen.ops, op),
            )
    return list(found.values())


def _by_heads(op: Op) -> list[tuple[Formula, tuple[int, int, int] | None]]:
    """The masks of an attention; several masks apply to equal groups of heads."""
    formula = op.attrs["formula"]
    if isinstance(formula, Formula):
        return [(plain(formula), None)]
    heads = int(op.attrs["heads"].size)
    run = heads // len(formula)
    return [(plain(part), (i * run, i * run + run - 1, heads)) for i, part in enumerate(formula)]


def _first(
    graph: ModuleGraph,
    op: Op,
    formula: Formula,
    heads: tuple[int, int, int] | None,
    *,
    crosses: bool,
) -> Seen:
    name = graph.scopes[op.scope].stack
    stack = graph.stack_facts[name]
    decided = graph.lengths.get(name)
    length = stack.max_positions or LONGEST if decided is None else int(decided)
    memory = _memory(graph, op) if crosses else ""
    return Seen(
        formula=formula,
        stack=name,
        memory=memory,
        heads=heads,
        length=length,
        depth=stack.layers,
        padded=(memory or name) not in graph.lengths,
        sums=op.kind == "attend_linearly",
        origin=op.origin if crosses else (*op.origin[:4], "mask"),
    )


def _memory(graph: ModuleGraph, op: Op) -> str:
    """The stack that an attention reads."""
    producer = graph.producer(op.arg("k"))
    hidden = {value: stack for stack, value in graph.hidden.items()}
    read = [] if producer is None else graph.ops(producer.scope)
    return next((hidden[v] for op in read for v in op.inputs if v in hidden), "memory")


def _block(graph: ModuleGraph, op: Op) -> list[str]:
    block = graph.block_of(op.scope)
    name = graph.scopes[op.scope].stack
    several = len(graph.stack_facts[name].blocks) > 1
    return [block.name] if block is not None and several else []
