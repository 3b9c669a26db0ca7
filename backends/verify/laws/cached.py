"""Laws of the cache: steps equal the whole, and so does greedy generation."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....spec.masks import atoms
from ..arguments import Data, Stream
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .padding import first_length
from .sight import ABSOLUTE, attending, masks_of

PIECES = {
    "token by token": (1,) * 40,
    "a prompt, then tokens": (5, *(1,) * 40),
    "chunks": (4, 3, 1, 5, 40),
}
NEW_TOKENS = 5


def reading_stream(subject: Subject) -> Stream:
    """The stream of the stack that keeps a cache."""
    streams = subject.arguments.streams()
    return next(s for s in streams if subject.stack_of(s.ids) == subject.cached)


def steps(subject: Subject) -> Measured | NotHere:
    """Hidden states of pieces, joined, against those of the whole text."""
    if not subject.cached:
        return NotHere("no stack keeps a cache")
    largest, note = Largest(), ""
    cases = ["plain", "padded left", "padded right"]
    stream = reading_stream(subject)
    if first_length(subject) < stream.longest:
        cases, note = ["plain"], "claimed up to the first length: angles change with the length"
    for case in cases:
        data = _within(subject, subject.data(case), stream)
        whole = subject.hidden(subject.cached, data)
        for name, sizes in PIECES.items():
            found = pieces(subject, data, sizes)
            largest.compare(found, whole, f"{case}: {name}")
    return largest.measured(note)


def _within(subject: Subject, data: Data, stream: Stream) -> Data:
    """The text as far as its angles do not change with its length."""
    most = first_length(subject)
    own = subject.arguments.companions(stream)
    return {name: a[:, :most] if name in own else a for name, a in data.items()}


def pieces(
    subject: Subject, data: Data, sizes: tuple[int, ...], method: Any | None = None
) -> Tensor:
    """The hidden states of all pieces, joined; the cache is as large as it must be."""
    stream = reading_stream(subject)
    length = data[stream.ids].shape[1]
    own = {stream.ids, f"{stream.prefix}position_ids", *subject.arguments.added_names(stream)}
    seen = {f"{stream.prefix}{role}" for role in ("attention_mask", "document_ids", "global_mask")}
    method = method or subject.method(subject.cached)
    cache: Any = vars(subject.module)["Cache"](length)
    found, start = [], 0
    with torch.no_grad():
        given = subject.given(subject.cached, data)
        for size in sizes:
            end = min(start + size, length)
            if end == start:
                break
            step = {name: v[:, start:end] if name in own else v for name, v in given.items()}
            step |= {name: v[:, :end] for name, v in given.items() if name in seen}
            found.append(method(**step, cache=cache))
            start = end
    return torch.cat(found, dim=1)


# -- generation


def generation(subject: Subject) -> Measured | NotHere:
    """Every token is the likeliest after all before it, in rows that are padded too.

    What a decoder goes on with is padded on the left, what an encoder reads on the right.
    """
    generate = getattr(subject.model, "generate", None)
    if generate is None:
        return NotHere("the model has no `generate`")
    stream = reading_stream(subject)
    if stream.longest + NEW_TOKENS > min(
        subject.arguments.limit(stream.ids), first_length(subject)
    ):
        return NotHere("sequences are too short to go on")
    wrong, where = 0, "all tokens are the likeliest"
    answers = "decoder_start_token_id" in inspect.signature(generate).parameters
    cases = ["plain", "padded right" if answers else "padded left"]
    cases = cases[:1] if _counts_places(subject) else cases
    for case in cases:
        data = subject.data(case)
        given = subject.tensors(data)
        wanted = inspect.signature(generate).parameters
        known = {name: value for name, value in given.items() if name in wanted}
        with torch.no_grad():
            found = generate(
                **known, max_new_tokens=NEW_TOKENS, temperature=0.0, eos_token_id=-1
            ).cpu()
        for row in range(len(found)):
            expected = _greedy(subject, data, row, wanted)
            new = found[row, -NEW_TOKENS:].numpy()
            if not np.array_equal(new, expected):
                place = int(np.flatnonzero(new != expected)[0])
                where = where if wrong else f"{case}: row {row}, new token {place}"
                wrong += int((new != expected).sum())
    return Measured(wrong, 0, where)


def _counts_places(subject: Subject) -> bool:
    blocks = attending(subject, subject.cached)
    used = [atom for block in blocks for mask in masks_of(block) for atom in atoms(mask)]
    return any(atom.name in ABSOLUTE for atom in used)


def _greedy(subject: Subject, data: Data, row: int, wanted: Any) -> Any:
    """The likeliest tokens after one row without its padding, each by a forward of the whole."""
    own = {name: value[row : row + 1] for name, value in data.items()}
    for stream in subject.arguments.streams():
        mask = own.pop(f"{stream.prefix}attention_mask", None)
        if mask is not None:
            own[stream.ids] = own[stream.ids][:, mask[0] == 1]
    own = {name: value for name, value in own.items() if not subject.arguments.optional(name)}
    stream = reading_stream(subject)
    if "decoder_start_token_id" in wanted:
        start = wanted["decoder_start_token_id"].default
        own[stream.ids] = np.full((1, 1), start)
    found = []
    for _ in range(NEW_TOKENS):
        logits = next(iter(subject.results(own).values()))
        token = int(logits[0, -1].argmax())
        found.append(token)
        own[stream.ids] = np.concatenate([own[stream.ids], [[token]]], axis=1)
    return np.array(found)
