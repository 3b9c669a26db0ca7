"""Laws of masks: `future`, `mask` and `documents`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....compiler.formula import formula_of
from ....compiler.lower.masks import causal
from ....spec.branches import branch_blocks
from ....spec.masks import Atom, Mask, atoms
from ....spec.model import Block
from ....spec.part import Nothing
from ....spec.positions import acts_on
from ...reference import Pairs, admits
from ..arguments import Array, Data, Stream
from ..measure import Largest, Measured, NotHere
from ..subject import Subject

ABSOLUTE = frozenset({"blocks", "fixed", "global", "keys", "queries", "random", "prefix"})
"""Predicates that depend on indices, not only on distances."""
COUNT_PADDING = ABSOLUTE - {"blocks", "fixed", "prefix"}
"""Of these, predicates that count padding; the others count from the first real token."""


def masks_of(block: Block) -> tuple[Mask, ...]:
    return block.mask if isinstance(block.mask, tuple) else (block.mask,)


def attending(subject: Subject, stack: str) -> list[Block]:
    """The branches of a stack that read other tokens, as blocks, layer by layer."""
    found = subject.spec.stacks[stack]
    blocks = [found.blocks[kind] for kind in found.order]
    branches = branch_blocks(blocks)
    return [one for one in branches if one.sublayers or not isinstance(one.attention, Nothing)]


def word_stacks(subject: Subject) -> Iterator[tuple[Stream, str]]:
    """Each token-id argument, and the stack that reads it."""
    for stream in subject.arguments.streams():
        yield stream, subject.stack_of(stream.ids)


CROWDED = "experts have a capacity, so tokens affect each other"


def crowded(subject: Subject) -> bool:
    """Whether experts have a capacity that the tokens of a sequence can exceed."""
    longest = max((stream.longest for stream in subject.arguments.streams()), default=0)
    return any(
        op.kind == "within_capacity"
        and (op.attrs["capacity"] is None or int(op.attrs["capacity"]) < longest)
        for op in subject.graph.ops()
    )


def changed_words(subject: Subject, stream: Stream, data: Data) -> Data:
    """The first sequence, followed by copies in which one token each is changed."""
    length = data[stream.ids].shape[1]
    rows = {name: np.repeat(value[:1], length + 1, axis=0) for name, value in data.items()}
    special = {*subject.arguments.kept_ids.values(), *stream.placed}
    for place in range(length):
        old = int(rows[stream.ids][0, place])
        if old in stream.placed:
            continue
        others = (i for i in range(stream.rows) if i != old and i not in special)
        rows[stream.ids][place + 1, place] = next(others, old)
    return rows


def future(subject: Subject) -> Measured | NotHere:
    """In causal stacks, changing a token does not change earlier hidden states."""
    largest = Largest()
    for stream, stack in word_stacks(subject):
        blocks = attending(subject, stack)
        if not all(causal(block.mask) for block in blocks):
            continue
        data = changed_words(subject, stream, subject.data("plain"))
        hidden = subject.hidden_of(stream, stack, data).double().cpu().numpy()
        for place in range(hidden.shape[1]):
            where = f"{stack}: token {place} changed"
            largest.compare(hidden[place + 1, :place], hidden[0, :place], where)
    if not largest.compared:
        return NotHere("no stack has only causal masks")
    return largest.measured()


def excluded(subject: Subject) -> Measured | NotHere:
    """Changing a token does not change hidden states to which no path of allowed pairs leads."""
    if crowded(subject):
        return NotHere(CROWDED)
    largest = Largest()
    for stream, stack in word_stacks(subject):
        if not attending(subject, stack):
            continue
        for case in ("plain", "every argument"):
            data = changed_words(subject, stream, subject.data(case))
            reach = _reach(subject, stack, stream, data)
            if reach.all():
                continue
            hidden = subject.hidden_of(stream, stack, data).double().cpu().numpy()
            for place in range(hidden.shape[1]):
                unseen = ~reach[:, place]
                where = f"{case}: {stack}: token {place} changed"
                largest.compare(hidden[place + 1][unseen], hidden[0][unseen], where)
    if not largest.compared:
        return NotHere("every query attends to every key")
    return largest.measured()


def _reach(subject: Subject, stack: str, stream: Stream, data: Data) -> Array:
    """True where a token (column) can affect a hidden state (row) through all layers."""
    before, after = subject.arguments.around(stream)
    length = before + data[stream.ids].shape[1] + after
    pairs = Pairs.of(
        length,
        document_ids=_first(data, f"{stream.prefix}document_ids"),
        prefix_length=_first(data, f"{stream.prefix}prefix_length"),
        global_mask=_first(data, f"{stream.prefix}global_mask"),
    )
    found = np.eye(length, dtype=bool)
    for block in attending(subject, stack):
        step = np.eye(length, dtype=bool)
        for mask in masks_of(block):
            step |= np.broadcast_to(admits(formula_of(mask), pairs), (1, length, length))[0]
        found = (step.astype(int) @ found.astype(int)) > 0
    own = slice(before, length - after)
    return found[own, own]


def _first(data: Data, name: str) -> Any:
    return data[name][:1] if name in data else None


def documents(subject: Subject) -> Measured | NotHere:
    """Packed documents give the same outputs as each document alone."""
    if crowded(subject):
        return NotHere(CROWDED)
    largest = Largest()
    for stream, stack in word_stacks(subject):
        reason = _no_documents(subject, stack, stream)
        if reason:
            return NotHere(reason)
        packed = {name: value[:1] for name, value in subject.data("every argument").items()}
        hidden = subject.hidden(stack, packed)
        numbers = packed[f"{stream.prefix}document_ids"][0]
        for number in np.unique(numbers):
            own = numbers == number
            alone = subject.arguments.taken(stream, packed, own)
            where = f"{stack}: document {number}"
            largest.compare(hidden[:, own], subject.hidden(stack, alone), where)
    return largest.measured() if largest.compared else NotHere("no stack reads tokens")


def _no_documents(subject: Subject, stack: str, stream: Stream) -> str:
    known = subject.arguments.known()
    if len(subject.spec.stacks) > 1:
        return "several stacks"
    blocks = attending(subject, stack)
    for mask in (mask for block in blocks for mask in masks_of(block)):
        if not _speaks_of_documents(mask):
            return f"the mask `{mask}` allows attention between documents"
        if any(atom.name in ABSOLUTE for atom in atoms(mask)):
            return f"the mask `{mask}` depends on the index from the beginning"
    if not blocks:
        return "there is no attention"
    placed = any(acts_on(p) != "scores" for b in blocks for p in b.positions)
    if placed and f"{stream.prefix}position_ids" not in known:
        return "positions cannot restart in each document"
    return ""


def _speaks_of_documents(mask: Mask) -> bool:
    """Whether the mask restricts all pairs to one document."""
    if isinstance(mask, Atom):
        return mask.name == "documents"
    parts = getattr(mask, "parts", ())
    join = any if type(mask).__name__ == "And" else all
    return bool(parts) and join(_speaks_of_documents(part) for part in parts)
