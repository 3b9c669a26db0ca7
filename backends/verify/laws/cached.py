"""Laws of the cache: steps equal the whole, and so does greedy generation."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import Array, Data, Stream
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject
from .padding import first_length, moved_by_padding
from .sight import CROWDED, crowded

PIECES = {
    "token by token": (1,) * 40,
    "a prompt, then tokens": (5, *(1,) * 40),
    "chunks": (4, 3, 1, 5, 40),
}
IDS, MASK = "input_ids", "attention_mask"
NEW_TOKENS = 5


def reading_stream(subject: Subject) -> Stream:
    """The stream of the stack that keeps a cache."""
    streams = subject.arguments.streams()
    return next(s for s in streams if subject.stack_of(s.ids) == subject.cached)


def steps(subject: Subject) -> Measured | NotHere:
    """Hidden states of pieces, joined, against those of the whole text."""
    if not subject.cached:
        return NotHere("no stack has a cache")
    if crowded(subject):
        return NotHere(CROWDED)
    largest, note = Largest(), ""
    cases = ["plain", "padded left", "padded right"]
    stream = reading_stream(subject)
    if first_length(subject) < stream.longest:
        cases, note = ["plain"], "tested up to the original length: angles depend on the length"
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
    static = isinstance(cache.length, Tensor)  # it has its full size from the start
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
            found.append(method(**step, cache=cache))
            start = end
    return torch.cat(found, dim=1)


# -- generation


def generation(subject: Subject) -> Measured | NotHere:
    """The scores behind every new token are those of the whole before it, in padded rows too.

    What a decoder goes on with is padded on the left, what an encoder reads on the right.
    """
    if not hasattr(subject.model, "generate"):
        return NotHere("the model has no `generate`")
    if crowded(subject):
        return NotHere(CROWDED)
    stream = reading_stream(subject)
    if stream.longest + NEW_TOKENS > min(
        subject.arguments.limit(stream.ids), first_length(subject)
    ):
        return NotHere("the sequences are too short to continue")
    model, largest = subject.fresh(), Largest()
    wanted = inspect.signature(model.generate).parameters  # type: ignore[arg-type]
    cases = ["plain", "padded right" if "decoder_start_token_id" in wanted else "padded left"]
    for case in cases:
        side = case.removeprefix("padded ")
        if side != case and moved_by_padding(subject, side):
            continue
        data = subject.data(case)
        tokens, scores = _generated(subject, model, data, wanted)
        for row in range(len(tokens)):
            expected = _whole(subject, data, row, tokens[row, -NEW_TOKENS:], wanted)
            for place in range(NEW_TOKENS):
                where = f"{case}: row {row}, new token {place}"
                largest.compare(scores[place][row], expected[place], where)
                if tokens[row, place - NEW_TOKENS] != expected[place].argmax():
                    largest.take(float("inf"), f"{where} is not the most likely token")
    return largest.measured()


def _generated(
    subject: Subject, model: nn.Module, data: Data, wanted: Mapping[str, Any]
) -> tuple[Array, list[Array]]:
    """Rows of tokens, and the scores (B, V) from which each new one was chosen."""
    seen: list[Array] = []
    score: Any = model.logits

    def watched(x: Tensor) -> Tensor:
        found: Tensor = score(x)
        seen.append(as_array(found)[:, -1])
        return found

    known, stream = subject.tensors(data), reading_stream(subject)
    if "decoder_start_token_id" in wanted:  # it is given what the encoder reads, if that is tokens
        stream = next((s for s in subject.arguments.streams() if s.ids != stream.ids), stream)
    given = {name: v for name, v in known.items() if name in wanted}
    for word, own in ((IDS, stream.ids), (MASK, f"{stream.prefix}{MASK}")):
        if (
            word in wanted and word not in given and own in known
        ):  # `generate` has one name for what it goes on with
            given[word] = known[own]
    generate: Any = model.generate
    vars(model)["logits"] = watched
    try:
        with torch.no_grad():
            found = generate(**given, max_new_tokens=NEW_TOKENS, temperature=0.0, eos_token_id=-1)
    finally:
        del vars(model)["logits"]
    return found.cpu().numpy(), seen


def _whole(
    subject: Subject, data: Data, row: int, new: Array, wanted: Mapping[str, Any]
) -> list[Array]:
    """The scores of each new token of a row, by a forward of all before it, without padding."""
    own = {name: value[row : row + 1] for name, value in data.items()}
    for stream in subject.arguments.streams():
        mask = own.pop(f"{stream.prefix}attention_mask", None)
        if mask is not None:
            own[stream.ids] = own[stream.ids][:, mask[0] == 1]
    own = {name: value for name, value in own.items() if not subject.arguments.optional(name)}
    stream = reading_stream(subject)
    if "decoder_start_token_id" in wanted:
        own[stream.ids] = np.full((1, 1), wanted["decoder_start_token_id"].default)
    length = own[stream.ids].shape[1]
    own[stream.ids] = np.concatenate([own[stream.ids], new[None, :-1]], axis=1)
    scores = as_array(next(iter(subject.results(own).values())))[0]
    return list(scores[length - 1 :])
