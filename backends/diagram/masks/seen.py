"""The distinct masks of a model: who is masked by each, in which layers and heads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ....compiler.count import Attend, attends
from ....compiler.graph import ModuleGraph, Origin
from ....spec.masks import And, Atom, Mask, Not, Or

LONGEST = 1024
"""The length at which shares are counted where a model has no `max_positions`."""

Key = tuple[str, str, bool, "tuple[int, int, int] | None"]


@dataclass(frozen=True)
class Seen:
    """One mask of a model, and whose it is.

    formula   what it admits, in plain numbers
    stack     whose queries; the keys are of the same stack, or of `memory`
    memory    the stack that is read; "" for self-attention
    heads     the first head, the last one, and how many there are; None for all
    blocks    the kinds of layers, where the stack has several
    layers    how many layers, of `depth`
    length    the tokens at which the share of scores is counted
    padded    may keys be padding? not those of an image
    attends   the ops that it masks
    origin    the path of the spec that asked for it
    """

    formula: Mask
    stack: str
    memory: str
    heads: tuple[int, int, int] | None
    length: int
    depth: int
    padded: bool = True
    layers: int = 0
    blocks: tuple[str, ...] = ()
    attends: tuple[Attend, ...] = field(default=(), repr=False)
    origin: Origin = ()


def masks_of(graph: ModuleGraph) -> list[Seen]:
    """Each distinct mask of each stack, in the order in which it is met."""
    found: dict[Key, Seen] = {}
    counted: dict[Key, set[int]] = {}
    for attend in attends(graph):
        for formula, heads in _by_heads(attend):
            stack = graph.scopes[attend.scope].stack
            key = (stack, str(formula), attend.crosses, heads)
            seen = found.get(key) or _first(graph, attend, formula, heads)
            layers = counted.setdefault(key, set())
            layers.update(attend.layers)
            found[key] = replace(
                seen,
                layers=len(layers),
                blocks=tuple(dict.fromkeys([*seen.blocks, *_block(graph, attend)])),
                attends=(*seen.attends, attend),
            )
    return list(found.values())


def _by_heads(attend: Attend) -> list[tuple[Mask, tuple[int, int, int] | None]]:
    """The masks of an attend; several share out the heads in equal runs."""
    formula = attend.op.attrs["formula"]
    if isinstance(formula, Mask):
        return [(plain(formula), None)]
    heads = int(attend.op.attrs["heads"].size)
    run = heads // len(formula)
    return [(plain(part), (i * run, i * run + run - 1, heads)) for i, part in enumerate(formula)]


def _first(
    graph: ModuleGraph, attend: Attend, formula: Mask, heads: tuple[int, int, int] | None
) -> Seen:
    name = graph.scopes[attend.scope].stack
    stack = graph.spec.stacks[name]
    decided = graph.lengths.get(name)
    length = stack.max_positions or LONGEST if decided is None else int(decided)
    origin = attend.op.origin
    memory = _memory(graph, attend) if attend.crosses else ""
    return Seen(
        formula=formula,
        stack=name,
        memory=memory,
        heads=heads,
        length=length,
        depth=stack.layers,
        padded=(memory or name) not in graph.lengths,
        origin=origin if attend.crosses else (*origin[:4], "mask"),
    )


def _memory(graph: ModuleGraph, attend: Attend) -> str:
    """The stack whose tokens an attend reads."""
    producer = graph.producer(attend.op.inputs[1])
    hidden = {value: stack for stack, value in graph.hidden.items()}
    read = [] if producer is None else graph.ops(producer.scope)
    return next((hidden[v] for op in read for v in op.inputs if v in hidden), "memory")


def _block(graph: ModuleGraph, attend: Attend) -> list[str]:
    block = graph.block_of(attend.scope)
    name = graph.scopes[attend.scope].stack
    several = len(graph.spec.stacks[name].blocks) > 1
    return [block.name] if block is not None and several else []


def plain(formula: Mask) -> Mask:
    """The same formula with its named sizes as plain numbers."""
    if isinstance(formula, (And, Or)):
        return type(formula)(tuple(plain(part) for part in formula.parts))
    if isinstance(formula, Not):
        return Not(plain(formula.part))
    assert isinstance(formula, Atom)
    numbers = tuple(int(arg) if isinstance(arg, int) else arg for arg in formula.args)
    return Atom(formula.name, numbers)
