"""Inputs of the stacks of a graph: token ids, added ids, images, signals, vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelwright.compiler import ModuleGraph, Op, Value
from modelwright.compiler.facts import InputFact

SHORT = 3
"""A signal is at least so long that it has this many tokens."""


@dataclass(frozen=True)
class Ids:
    """The token ids of a stack.

    argument     their name in `forward`
    vocabulary   entries of their table
    added        argument of other ids whose embeddings are added to theirs -> entries of its table
    """

    argument: str
    vocabulary: int
    added: dict[str, int]


def arguments(graph: ModuleGraph) -> dict[str, Value]:
    """What `forward` takes, by name."""
    ops = [op for op in graph.ops("") if op.kind == "argument"]
    return {op.name: graph.values[op.outputs[0]] for op in ops}


def token_ids(graph: ModuleGraph) -> dict[str, Ids]:
    """The ids of every stack that reads some."""
    values = arguments(graph)
    names = {value.id: name for name, value in values.items()}
    tables = [op for op in graph.ops() if op.kind == "embedding"]
    found = {}
    for stack, source in graph.inputs.items():
        if source.kind == "tokens" and source.argument in values:
            ids = values[source.argument].id
            own = next(op for op in tables if op.arg("ids") == ids)
            added = [op for op in tables if op.attrs.get("absent") == ids]
            rows = {names[op.arg("ids")]: int(op.attrs["rows"]) for op in added}
            found[stack] = Ids(source.argument, int(own.attrs["rows"]), rows)
    return found


@dataclass(frozen=True)
class Vectors:
    """Vectors of a stack that stand in the place of tokens of other ids.

    argument  the ids
    stack     the stack whose vectors they are, without the first `skipped` ones
    token     the id in their place
    """

    argument: str
    stack: str
    token: int
    skipped: int


def placed_vectors(graph: ModuleGraph) -> Iterator[Vectors]:
    """All of them, in order of computation."""
    stacks = {value: name for name, value in graph.hidden.items()}
    for op in graph.ops():
        if op.kind != "place_rows":
            continue
        skipped, value = 0, op.arg("rows")
        while value not in stacks:
            source = graph.op(graph.producers[value])
            skipped += int(source.attrs["count"]) if source.kind == "skip_tokens" else 0
            value = source.first
        token = int(op.attrs["token"])
        yield Vectors(graph.values[op.arg("ids")].name, stacks[value], token, skipped)


@dataclass(frozen=True)
class AddedIds:
    """An argument of ids whose embeddings are added.

    to       the argument of the same length to whose vectors they are added
    entries  of their table
    """

    to: str
    entries: int


def added_ids(graph: ModuleGraph) -> dict[str, AddedIds]:
    """The arguments of ids whose embeddings are added."""
    names = {value.id: name for name, value in arguments(graph).items()}
    tables = [op for op in graph.ops() if op.kind == "embedding" and op.attrs.get("absent")]
    return {
        names[op.arg("ids")]: AddedIds(names[str(op.attrs["absent"])], int(op.attrs["rows"]))
        for op in tables
    }


def conditions(graph: ModuleGraph) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Times, vectors and classes: name, shape of one, and the number of classes, or 0."""
    sources = {source.argument for source in graph.sources()}
    for name, value in arguments(graph).items():
        axes = value.shape[1:]
        if name in sources or value.optional or any(axis.size is None for axis in axes):
            continue
        tables = graph.consumers(value.id)
        for op in [op for op in tables if op.kind == "drop_labels"]:
            tables += graph.consumers(op.outputs[0])
        yield name, tuple(int(axis.size or 1) for axis in axes), entries(tables)


def entries(readers: Iterable[Op]) -> int:
    """The entries of the smallest table that ops look up; 0 where they look up none."""
    keys = {"embedding": "rows", "pair_bias": "entries"}
    return min((int(op.attrs[keys[op.kind]]) for op in readers if op.kind in keys), default=0)


def pairs(graph: ModuleGraph) -> Iterator[tuple[str, InputFact, tuple[int, ...], int]]:
    """Integers of all pairs of tokens of a stack: name, input of the stack, further axes, entries
    of the table.
    """
    for name, value in arguments(graph).items():
        if [dim.label for dim in value.shape[1:3]] == ["T", "T"]:
            readers = graph.consumers(value.id)
            source = graph.inputs[graph.scopes[readers[0].scope].stack]
            more = tuple(int(axis.size or 1) for axis in value.shape[3:])
            yield name, source, more, entries(readers)


def float_shapes(
    graph: ModuleGraph, batch: int, *, tokens: int, frames: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name and the shape of every image, signal and sequence of vectors.

    frames: of a signal; more where it would have fewer than 3 tokens
    """
    values = arguments(graph)
    for name, value in values.items() if graph.axes else ():  # streams: all axes are as long
        yield name, (batch, *(tokens if a.size is None else int(a.size) for a in value.shape[1:]))
    for source in graph.sources() if not graph.axes else ():
        if source.argument not in values or values[source.argument].dtype != "float":
            continue
        length = tokens
        if source.convolutions:
            length = max(frames, source.frames(SHORT))
        _, *axes = values[source.argument].shape
        shape = (length if axis.size is None else int(axis.size) for axis in axes)
        yield source.argument, (batch, *shape)
