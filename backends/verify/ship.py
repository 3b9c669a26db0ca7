"""Write a test file for a built model that needs only torch, from the template `shipped`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...compiler import ModuleGraph, lower
from ...compiler.lower.masks import causal
from ...spec.model import ModelSpec
from ..pytorch import emit, import_text
from ..pytorch.calls import table_of
from ..pytorch.file import module_name
from ..reference import run
from .arguments import Array, Data
from .laws.cached import reading_stream
from .laws.padding import first_length, moved_by_padding
from .laws.sight import attending, word_stacks
from .laws.training import without_gradient
from .shipped import wave, waves
from .shrink import shrink
from .subject import Subject, UnknownError

TEMPLATE = Path(__file__).with_name("shipped.py")
MARK = "# -- tests\n"
NUMBERS = 6
MOST_WEIGHTS = 20_000_000
WIDTH = 100
SPREAD = 0.2

HEAD = '''"""Tests of {file}, which Modelwright wrote from {source}.

They test invariants that hold for any weights, with a small Config. They need only torch:

    pytest test_{module}.py        or        python test_{module}.py

The numbers in `EXPECTED` were computed by {whose}.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Sequence
from typing import Any

import {module} as built
import torch
from torch import Tensor, nn

'''
REFERENCE = "an independent implementation in NumPy"
ITSELF = (
    "this file when the tests were written,\nbecause not all of its sizes are fields of its Config"
)


def ship(spec: ModelSpec) -> str:
    """Source text of a test file for the file that `build` writes for a spec.

    Raises UnknownError if no Config makes the model small.
    """
    full = lower(spec)
    small_spec = shrink(spec, whole_order=True)
    small = lower(small_spec)
    module = import_text(emit(full), full.name)
    config = _config(module, import_text(emit(small), small.name))
    subject = Subject(small_spec, small, emit(small), {})
    model = _made(module, full, config)
    facts, whose = _facts(subject, model, config)
    name = module_name(full.name)
    head = HEAD.format(
        file=f"{name}.py", source=spec.source_name or spec.name, module=name, whose=whose
    )
    facts = {"MODEL": full.class_name, **facts}
    lines = [f"{key} = {_literal(value)}" for key, value in facts.items()]
    body = TEMPLATE.read_text(encoding="utf-8").partition(MARK)[2]
    return head + "\n".join(lines) + "\n" + body


def _config(full: Any, small: Any) -> dict[str, Any]:
    """The Config fields that make the built model small.

    Different fields (`text_heads`, `vision_heads`) may have one name in the small spec.
    """
    sizes = {field.name: field.default for field in dataclasses.fields(small.Config)}
    found = {}
    for field in dataclasses.fields(full.Config):
        name = field.name
        while name not in sizes and "_" in name:
            name = name.partition("_")[2]
        if name in sizes and sizes[name] != field.default:
            found[field.name] = sizes[name]
    return found


def _made(module: Any, graph: ModuleGraph, config: dict[str, Any]) -> nn.Module:
    """The small built model in float64. Raises UnknownError if it is still too large."""
    kind = getattr(module, graph.class_name)
    try:
        with torch.device("meta"):
            count = sum(weight.numel() for weight in kind(module.Config(**config)).parameters())
    except ValueError as error:
        raise UnknownError(f"{graph.name} cannot be made small by its Config: {error}") from None
    if count > MOST_WEIGHTS:
        raise UnknownError(
            f"{graph.name} cannot be made small by its Config: it would have {count:,} weights"
        )
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        made: nn.Module = kind(module.Config(**config)).eval()
    finally:
        torch.set_default_dtype(before)
    return made


def _facts(
    subject: Subject, model: nn.Module, config: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The constants of the test file, and who computed the expected values."""
    weights = {
        name: (tuple(weight.shape), *_centre_and_spread(subject, name, tuple(weight.shape)))
        for name, weight in model.named_parameters()
    }
    waves(model, weights)
    words = "words" if subject.arguments.sources else "plain"
    cases = {"plain": subject.data("plain")}
    for case in (words, "padded left", "padded right"):
        data = subject.data("plain" if case == words else case)
        cases[case] = subject.arguments.without_places(data)
    called = _stacks(subject)
    padded = {side: _padded(subject, called, side) for side in ("left", "right")}
    for side, stacks in padded.items():
        if stacks:
            cases[f"padded {side}, alone"] = subject.arguments.single(cases[f"padded {side}"])
    cases = {case: _waves(data) for case, data in cases.items()}
    expected, whose = _expected(subject, model, cases)
    facts = {
        "CONFIG": config,
        "WEIGHTS": weights,
        "CASES": {case: _written(data) for case, data in cases.items()},
        "EXPECTED": expected,
        "STACKS": called,
        "CAUSAL": _causal(subject, called),
        "PADDED": {f"padded {side}": stacks for side, stacks in padded.items() if stacks},
        "CACHED": _cached(subject, called, words),
        "WORDS": words,
        "EXEMPT": tuple(without_gradient(subject, model, cases["plain"])),
    }
    return facts, whose


def _centre_and_spread(subject: Subject, name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and amplitude of a weight: norms around 1, biases around 0, matrices by fan-in."""
    for weight in subject.graph.weights():
        if weight.name == name and weight.shape == shape:
            initial = weight.weight.initial
            if initial.kind == "normal":
                return 0.0, round(float(np.sqrt(2 / np.prod(shape[1:]))), 4)
            return {"zeros": 0.0, "ones": 1.0}.get(initial.kind, initial.value), SPREAD
    return 0.0, SPREAD


def _expected(
    subject: Subject, model: nn.Module, cases: dict[str, Data]
) -> tuple[dict[str, dict[str, tuple[float, ...]]], str]:
    """Some values of each output, from the reference if it can compute the same model."""
    own, others = {}, {}
    state = {name: weight.numpy() for name, weight in model.state_dict().items()}
    for case in ("plain", "padded right"):
        found = subject.results(cases[case], model)
        several = len(found) > 1
        own[case] = {(n if several else ""): _some(v.numpy()) for n, v in found.items()}
        try:
            outputs = run(subject.graph, state, cases[case])
        except ValueError:
            return own, ITSELF
        others[case] = {(n if several else ""): _some(outputs[n]) for n in found}
        for name, numbers in own[case].items():
            if not np.allclose(numbers, others[case][name], rtol=1e-9, atol=1e-9):
                return own, ITSELF
    return others, REFERENCE


def _some(numbers: Array) -> tuple[float, ...]:
    flat = numbers.ravel()
    step = max(1, flat.size // NUMBERS)
    return tuple(float(number) for number in flat[::step][:NUMBERS])


def _stacks(subject: Subject) -> dict[str, dict[str, str]]:
    """How each stack is called, without stacks that read several others."""
    graph = subject.graph
    if len(graph.hidden) == 1:
        return {stack: {"method": "hidden_states"} for stack in graph.hidden}
    found = {}
    for stack in graph.hidden:
        called = {"method": stack}
        if (table := table_of(graph, stack)) is not None:
            called |= {"table": table.name, "ids": graph.values[table.arg("ids")].name}
        read = [n for n in inspect.signature(subject.method(stack)).parameters if "memory" in n]
        others = [other for other in graph.hidden if subject.is_read(other)]
        if read:
            called |= {"memory": read[0], "reads": others[0]}
        if not read or len(others) == 1:
            found[stack] = called
    return found


def _causal(subject: Subject, known: Iterable[str]) -> dict[str, str]:
    return {
        stream.ids: stack
        for stream, stack in word_stacks(subject)
        if stack in known and all(causal(block.mask) for block in attending(subject, stack))
    }


def _padded(subject: Subject, known: Iterable[str], side: str) -> dict[str, str]:
    """The stacks that are invariant to padding on one side, and their masks."""
    arguments = subject.arguments.known()
    if moved_by_padding(subject, side):
        return {}
    masks = {stack: f"{stream.prefix}attention_mask" for stream, stack in word_stacks(subject)}
    return {s: mask for s, mask in masks.items() if s in known and mask in arguments}


def _cached(subject: Subject, known: Iterable[str], words: str) -> dict[str, Any]:
    if not subject.cached or subject.cached not in known:
        return {}
    stream = reading_stream(subject)
    if first_length(subject) < stream.longest:
        return {}
    new = (stream.ids, f"{stream.prefix}position_ids", *subject.arguments.added_names(stream))
    roles = ("attention_mask", "document_ids", "global_mask")
    return {
        "stack": subject.cached,
        "new": new,
        "seen": tuple(f"{stream.prefix}{role}" for role in roles),
        "cases": (words, "padded left", "padded right"),
    }


def _waves(data: Data) -> Data:
    """The same inputs, with waves instead of floats."""
    return {
        name: wave((2, *a.shape[1:]), 0).numpy()[2 - len(a) :] if a.dtype.kind == "f" else a
        for name, a in data.items()
    }


def _written(data: Data) -> dict[str, Any]:
    """Ids as lists; for waves the shape and the number of rows."""
    return {
        name: {"shape": [2, *a.shape[1:]], "last": len(a)} if a.dtype.kind == "f" else a.tolist()
        for name, a in data.items()
    }


def _literal(value: Any, indent: int = 0, used: int = 20) -> str:
    """A value as Python source; long collections have one item per line.

    indent, used: indentation, and columns already used on the line
    """
    text = _inline(value)
    if indent + used + len(text) < WIDTH or not isinstance(value, (dict, list, tuple)):
        return text
    margin = " " * (indent + 4)
    if isinstance(value, dict):
        keys = [f"{_inline(key)}: " for key in value]
        pairs = zip(keys, value.values(), strict=True)
        parts = [f"{key}{_literal(part, indent + 4, len(key))}" for key, part in pairs]
        signs = "{}"
    else:
        parts = [_literal(part, indent + 4, 0) for part in value]
        signs = "()" if isinstance(value, tuple) else "[]"
    lines = "".join(f"{margin}{part},\n" for part in parts)
    return f"{signs[0]}\n{lines}{' ' * indent}{signs[1]}"


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_inline(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_inline, value))
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"({inner}{comma})" if isinstance(value, tuple) else f"[{inner}]"
    return repr(value)
