"""The law `cache`: steps with a cache equal one pass without."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..arguments import Array, Data, Stream
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .padding import first_length
from .sight import CROWDED, crowded

PIECES = {
    "token by token": (1,) * 40,
    "a prompt, then tokens": (5, *(1,) * 40),
    "chunks": (4, 3, 1, 2, 40),
}
CASES = (
    "plain",
    "padded left",
    "padded right",
    "left, not placed",
    "every argument",
    "every argument, padded",
)


def reading_stream(subject: Subject) -> Stream:
    """The token argument of the stack with a cache."""
    streams = subject.arguments.streams()
    return next(s for s in streams if subject.stack_of(s.ids) == subject.cached)


def steps(subject: Subject) -> Measured | NotHere:
    """Compare concatenated hidden states of chunks with those of the whole sequence."""
    if not subject.cached:
        return NotHere("no stack has a cache")
    if crowded(subject):
        return NotHere(CROWDED)
    largest, note = Largest(), ""
    cases = list(CASES)
    stream = reading_stream(subject)
    if first_length(subject) < stream.longest:
        cases, note = ["plain"], "tested up to the original length: angles depend on the length"
    for case in cases:
        data = _within(subject, subject.data(case), stream)
        whole = subject.hidden(subject.cached, data)
        for name, sizes in PIECES.items():
            start = first_chunk(data, stream)
            if start and case != "plain":
                sizes, name = (start, *sizes), f"a prefix, then {name}"
            found = pieces(subject, data, sizes)
            largest.compare(found, whole, f"{case}: {name}")
    return largest.measured(note)


def first_chunk(data: Data, stream: Stream) -> int:
    """Number of tokens that must be computed at once, because they see each other: the prefix."""
    given = data.get(f"{stream.prefix}prefix_length")
    return 0 if given is None else int(given.max()) + padding_in_front(data, stream)


def padding_in_front(data: Data, stream: Stream) -> int:
    """The largest number of padding tokens at the beginning of a row."""
    mask = data.get(f"{stream.prefix}attention_mask")
    return 0 if mask is None else int(mask.argmax(axis=1).max())


def _within(subject: Subject, data: Data, stream: Stream) -> Data:
    """The part of a sequence in which angles do not depend on the length."""
    most = first_length(subject)
    own = subject.arguments.companions(stream)
    return {name: a[:, :most] if name in own else a for name, a in data.items()}


def _with_vectors(
    subject: Subject, stream: Stream, step: dict[str, Any], seen: Array
) -> dict[str, Any]:
    """The arguments of a chunk, with the vectors that stand in it. seen: the ids up to its end"""
    found, before = dict(step), len(seen) - step[stream.ids].shape[1]
    for stack, number, skipped in subject.arguments.states(stream):
        name = f"{stack}_states"
        if name not in step:
            continue
        x = found.pop(name)
        first, last = (skipped + int((ids == number).sum()) for ids in (seen[:before], seen))
        if first < last:
            found[name] = torch.cat([x[:, :skipped], x[:, first:last]], dim=1)
    return found


def pieces(
    subject: Subject,
    data: Data,
    sizes: tuple[int, ...],
    method: Any | None = None,
    cache: Any | None = None,
) -> Tensor:
    """The concatenated hidden states of all chunks.

    method: computes the hidden states of the stack; default: that of the model
    cache: for all tokens; default: a new one
    """
    stream = reading_stream(subject)
    length = data[stream.ids].shape[1]
    own = {stream.ids, f"{stream.prefix}position_ids", *subject.arguments.added_names(stream)}
    seen = {f"{stream.prefix}{role}" for role in ("attention_mask", "document_ids", "global_mask")}
    method = method or subject.method(subject.cached)
    cache = cache or vars(subject.module)["Cache"](length)
    static = has_static_cache(subject)
    found, start = [], 0
    with torch.no_grad():
        given = subject.given(subject.cached, data)
        for size in sizes:
            end = min(start + size, length)
            if end == start:
                break
            step = {name: v[:, start:end] if name in own else v for name, v in given.items()}
            room = length if static else end
            step |= {name: v[:, :room] for name, v in given.items() if name in seen}
            step = _with_vectors(subject, stream, step, data[stream.ids][0, :end])
            found.append(method(**step, cache=cache))
            start = end
    return torch.cat(found, dim=1)


def has_static_cache(subject: Subject) -> bool:
    """Whether the file is built with `--static-cache`, so that the cache has its full size."""
    return bool(subject.cached) and isinstance(vars(subject.module)["Cache"](1).length, Tensor)
