"""The law `generate`: greedy generation equals forward passes without a cache."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....spec.model import Stack
from ....spec.positions import DynamicScaling, LongRope
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject
from .cached import reading_stream
from .lengths import LONGEST, of_length
from .padding import first_length, moved_by_padding
from .sight import CROWDED, crowded

IDS, MASK = "input_ids", "attention_mask"
NEW_TOKENS = 5
ACROSS = "across the first length"
PROMPTED = ("prefix_length", "global_mask")
"""Arguments of `generate` that describe the prompt for masks; new tokens belong to neither."""


def generation(subject: Subject, *, training: bool = True) -> Measured | NotHere:
    """The logits of every new token equal those of a forward pass, also in padded rows.

    Prompts of decoders are padded on the left, inputs of encoders on the right. With LongRoPE,
    generation also crosses the original length.
    """
    if not hasattr(subject.model, "generate"):
        return NotHere("the model has no `generate`")
    if crowded(subject):
        return NotHere(CROWDED)
    stream = reading_stream(subject)
    most = min(subject.arguments.limit(stream.ids), first_length(subject, DynamicScaling))
    if stream.longest + NEW_TOKENS > most:
        return NotHere("sequences are too short to generate more")
    model, largest = subject.fresh(), Largest()
    wanted = inspect.signature(model.generate).parameters  # type: ignore[arg-type]
    cases = ["plain", "padded right" if "decoder_start_token_id" in wanted else "padded left"]
    first = first_length(subject, LongRope)
    if stream.longest < first <= subject.arguments.limit(stream.ids, LONGEST) - NEW_TOKENS:
        cases.append(ACROSS)
    if any(name in wanted for name in PROMPTED):
        moved = moved_by_padding(subject, "left")
        cases.append("every argument" if moved else "every argument, padded")
    for case in cases:
        side = case.removeprefix("padded ")
        changes = first < stream.longest + NEW_TOKENS  # determined by the longest row of the batch
        if side != case and (changes or moved_by_padding(subject, side)):
            continue
        data = subject.data(case) if case != ACROSS else of_length(subject, 1, first - 2)
        tokens, scores = _generated(subject, model, data, wanted)
        for row in range(len(tokens)):
            expected = _whole(subject, data, row, tokens[row, -NEW_TOKENS:], wanted)
            for place in range(NEW_TOKENS):
                where = f"{case}: row {row}, new token {place}"
                largest.compare(scores[place][row], expected[place], where)
                if tokens[row, place - NEW_TOKENS] != expected[place].argmax():
                    largest.take(float("inf"), f"{where} is not the most likely one")
        if case == "plain" and training:
            _in_training(subject, data, tokens, wanted, largest)
    return largest.measured()


def _in_training(
    subject: Subject, data: Data, tokens: Array, wanted: Mapping[str, Any], largest: Largest
) -> None:
    """In training mode, a model generates the same tokens, and the mode is restored."""
    model = subject.fresh().train()
    first = next(module for module in model.modules() if module is not model)
    first.eval()  # layers in eval mode stay in eval mode
    before = [module.training for module in model.modules()]
    with torch.random.fork_rng(devices=[]):
        found, _ = _generated(subject, model, data, wanted)
    if not np.array_equal(found, tokens):
        largest.take(float("inf"), "other tokens are generated in training mode")
    if [module.training for module in model.modules()] != before:
        largest.take(float("inf"), "`generate` does not restore the training mode")


def _generated(
    subject: Subject, model: nn.Module, data: Data, wanted: Mapping[str, Any]
) -> tuple[Array, list[Array]]:
    """Generated tokens, and the logits (B, V) of each new token."""
    seen: list[Array] = []
    score: Any = model.logits

    def watched(x: Tensor) -> Tensor:
        found: Tensor = score(x)
        seen.append(as_array(found)[:, -1])
        return found

    given = given_prompt(subject, data, wanted)
    generate: Any = model.generate
    vars(model)["logits"] = watched
    try:
        with torch.no_grad():
            found = generate(**given, max_new_tokens=NEW_TOKENS, temperature=0.0, eos_token_id=None)
    finally:
        del vars(model)["logits"]
    return found.cpu().numpy(), seen


def given_prompt(subject: Subject, data: Data, wanted: Mapping[str, Any]) -> dict[str, Tensor]:
    """What `generate` is given of the data: a prompt, or the inputs of encoders."""
    known, stream = subject.tensors(data), reading_stream(subject)
    if "decoder_start_token_id" in wanted:  # pass the encoder's input, if it is tokens
        stream = next((s for s in subject.arguments.streams() if s.ids != stream.ids), stream)
    given = {name: v for name, v in known.items() if name in wanted}
    for word, own in ((IDS, stream.ids), (MASK, f"{stream.prefix}{MASK}")):
        if word in wanted and word not in given and own in known:  # names that `generate` uses
            given[word] = known[own]
    return given


def _added(stack: Stack) -> list[str]:
    """The arguments whose embeddings are added to an input of a stack."""
    return [name for source in stack.input for name in getattr(source, "add", {})]


def _whole(
    subject: Subject, data: Data, row: int, new: Array, wanted: Mapping[str, Any]
) -> list[Array]:
    """The logits of each new token of a row, by forward passes without padding."""
    own, asked = row_alone(subject, data, row, wanted, len(new))
    stream = reading_stream(subject)
    length = own[stream.ids].shape[1]
    ids = np.concatenate([own[stream.ids], new[None, :-1]], axis=1)

    def scores(end: int) -> Array:
        seen = {name: a[:, :end] if a.ndim == 2 else a for name, a in asked.items()}
        found = subject.results({**own, **seen, stream.ids: ids[:, :end]})
        one: Array = as_array(next(iter(found.values())))[0]
        return one

    if first_length(subject, LongRope) < ids.shape[1]:  # angles depend on the length
        return [scores(end)[-1] for end in range(length, ids.shape[1] + 1)]
    return list(scores(ids.shape[1])[length - 1 :])


def row_alone(
    subject: Subject, data: Data, row: int, wanted: Mapping[str, Any], new: int
) -> tuple[Data, Data]:
    """A row without padding and what `generate` does not get, and its marks of the prompt.

    new: number of new tokens, which no mark is for
    """
    own = {name: value[row : row + 1] for name, value in data.items()}
    for stream in subject.arguments.streams():
        mask = own.pop(f"{stream.prefix}attention_mask", None)
        for name in (stream.ids, *subject.arguments.added_names(stream)):
            if mask is not None and name in own:
                own[name] = own[name][:, mask[0] == 1]
    stream = reading_stream(subject)
    asked = {name: own[name] for name in PROMPTED if name in own and name in wanted}
    if "global_mask" in asked:
        mask = data.get(f"{stream.prefix}attention_mask", np.ones_like(data[stream.ids]))
        marks = asked["global_mask"][:, mask[row] == 1]
        asked["global_mask"] = np.pad(marks, ((0, 0), (0, new - 1)))
    added = {name for stack in subject.spec.stacks.values() for name in _added(stack)}
    kept = {*added, *subject.arguments.marks.lengths} & {*wanted}
    own = {n: x for n, x in own.items() if n in kept or not subject.arguments.optional(n)}
    if "decoder_start_token_id" in wanted:
        own[stream.ids] = np.full((1, 1), wanted["decoder_start_token_id"].default)
    return own, asked
