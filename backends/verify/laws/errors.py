"""The law `errors`: invalid arguments raise errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ....spec.masks import atoms
from ..measure import Measured, NotHere
from ..subject import Subject
from .cached import reading_stream
from .sight import COUNT_PADDING, attending, masks_of

Call = tuple[str, Callable[[], Any]]
SETTINGS: tuple[dict[str, Any], ...] = (
    {"temperature": -1.0},
    {"temperature": float("nan")},
    {"temperature": float("inf")},
    {"top_k": -1},
    {"top_p": -0.1},
    {"top_p": 1.5},
    {"temperature": 1e-9},
    {"eos_token_id": 10**6},
    {"eos_token_id": (0, 10**6)},
    {"eos_token_id": -1},
    {"eos_token_id": 0, "pad_token_id": 10**6},
    {"max_new_tokens": -1},
)
"""Invalid settings of `generate`."""


def errors(subject: Subject) -> Measured | NotHere:
    """Invalid arguments raise ValueError: shapes, lengths, full caches, prompts, settings.

    For ids and masks a RuntimeError of torch is accepted.
    """
    shapes, calls = [*_arguments(subject)], [*_cache(subject), *_generation(subject)]
    calls += [*_vectors(subject), *_signals(subject)]
    if not shapes and not calls:
        return NotHere("there is nothing to refuse: no tokens, no cache")
    wrong = [what for what, call in shapes if not _raises(call, ValueError, RuntimeError)]
    wrong += [what for what, call in calls if not _raises(call, ValueError)]
    calls = shapes + calls
    where = f"not refused in words: {wrong[0]}" if wrong else f"{len(calls)} calls"
    return Measured(len(wrong), 0, where)


def _raises(call: Callable[[], Any], *kinds: type[Exception]) -> bool:
    try:
        with torch.no_grad():
            call()
    except Exception as error:
        return isinstance(error, kinds)
    return False


def _arguments(subject: Subject) -> Iterator[Call]:
    """Calls with invalid masks and ids, and with more tokens than the position table has."""
    data, padded = subject.tensors(subject.data("plain")), subject.data("padded left")

    def forward(name: str, value: Tensor) -> Call:
        shape = f"{name} {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        return shape, lambda: subject.model(**{**data, name: value})

    for stream in subject.arguments.streams():
        ids = data[stream.ids]
        yield forward(stream.ids, ids[..., None])
        yield forward(stream.ids, ids.double())
        limit = subject.graph.limits.get(subject.stack_of(stream.ids))
        if limit is not None:
            yield forward(stream.ids, ids[:, :1].expand(-1, int(limit) + 1))
    for name, mask in subject.tensors(padded).items():
        if name.endswith("attention_mask"):
            yield forward(name, mask[:1])
            yield forward(name, mask[:, 1:])
            yield forward(name, mask.double())


def _vectors(subject: Subject) -> Iterator[Call]:
    """Calls with images, signals, vectors and conditions of other shapes: an axis too few, or twice
    the size along an axis whose size is known.
    """
    data = subject.tensors(subject.data("plain"))
    for name, argument in subject.arguments.known().items():
        value = subject.graph.values[argument.outputs[0]]
        if value.dtype != "float" or name not in data:
            continue
        given, wrong = data[name], [data[name][0]]
        for axis, dim in enumerate(value.shape):
            if dim.size is not None:
                wrong.append(torch.cat([given, given], dim=axis))
        for other in wrong:
            words = f"{name} of the shape {tuple(other.shape)}"
            yield words, lambda o=other, n=name: subject.model(**{**data, n: o})  # type: ignore[misc]


def _signals(subject: Subject) -> Iterator[Call]:
    """Calls with signals that are one frame too short for a single token."""
    data = subject.tensors(subject.data("plain"))
    for stack, fact in subject.graph.inputs.items():
        if fact.kind != "conv" or fact.argument not in data or stack in subject.graph.parts:
            continue
        given = data[fact.argument]
        short = fact.frames(1) - 1
        while short > 0 and fact.tokens(short) > 0:
            short -= 1
        if short > 0:
            words, name = f"{fact.argument} of {short} frames", fact.argument
            signal = given.narrow(fact.axis, 0, short)
            yield words, lambda n=name, x=signal: subject.model(**{**data, n: x})  # type: ignore[misc]


def _cache(subject: Subject) -> Iterator[Call]:
    """Calls that exceed the capacity of a cache, or have another batch size."""
    kinds = {op.kind for op in subject.graph.keepers()}
    if "cache" not in kinds:
        return
    method, stream = subject.method(subject.cached), reading_stream(subject)
    plain = subject.arguments.without_places(subject.data("plain"))
    given = subject.given(subject.cached, plain)
    own = [name for name in subject.arguments.companions(stream) if name in given]

    def step(cache: Any, rows: slice, tokens: slice) -> Any:
        some = {name: value[rows] for name, value in given.items()}
        some |= {name: value[:, tokens] for name, value in some.items() if name in own}
        return method(**some, cache=cache)

    def full() -> None:
        cache: Any = vars(subject.module)["Cache"](3)
        if not isinstance(cache.length, Tensor):  # static caches have a fixed size
            step(cache, slice(None), slice(0, 4))
        else:
            raise ValueError

    def other_rows() -> None:
        cache: Any = vars(subject.module)["Cache"](8)
        step(cache, slice(None), slice(0, 4))
        step(cache, slice(0, 1), slice(4, 5))

    yield "4 tokens in a cache for 3", full
    yield "one row after two, with one cache", other_rows


def _generation(subject: Subject) -> Iterator[Call]:
    """Calls of `generate` with invalid settings, and with prompts that end in padding."""
    generate: Any = getattr(subject.model, "generate", None)
    if generate is None:
        return
    wanted = inspect.signature(generate).parameters
    source, extends = next(iter(wanted)), "decoder_start_token_id" not in wanted
    plain = subject.arguments.without_places(subject.data("padded right"))
    data = subject.tensors(plain)
    stream = reading_stream(subject)
    prompt = data.get(source, data[stream.ids])
    for setting in SETTINGS:
        words = ", ".join(f"{key}={value}" for key, value in setting.items())
        given = {"max_new_tokens": 1, **setting}
        yield f"generate with {words}", lambda g=given: generate(prompt, **g)  # type: ignore[misc]
    size = int(subject.graph.values[next(iter(subject.graph.outputs.values()))].shape[-1].size or 0)
    edge = {"max_new_tokens": 1, "eos_token_id": size}
    yield f"generate with eos_token_id={size}", lambda: generate(prompt, **edge)
    if extends:
        yield "an empty prompt", lambda: generate(prompt[:, :0], 1)
    mask_name = f"{stream.prefix}attention_mask"
    mask = data.get(mask_name)
    if extends and mask is not None and "attention_mask" in wanted:
        yield "a prompt that ends in padding", lambda: generate(prompt, 1, attention_mask=mask)
        padded = subject.arguments.without_places(subject.data("padded left"))
        left = subject.tensors(padded)
        if counts_indices(subject):
            words = "a padded prompt, though the mask depends on the index"
            yield (
                words,
                lambda: generate(left[stream.ids], 1, attention_mask=left[mask_name]),
            )


def counts_indices(subject: Subject) -> bool:
    """Whether a mask of the stack with a cache counts padding, so that padding would move it."""
    used = [
        atom
        for block in attending(subject, subject.cached)
        for mask in masks_of(block)
        for atom in atoms(mask)
    ]
    return any(atom.name in COUNT_PADDING and atom.args != ("given",) for atom in used)
