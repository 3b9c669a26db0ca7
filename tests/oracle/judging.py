"""A spec, compiled in float64 with weights none of which is at rest, beside the oracle.

Nothing here sees the graph: arguments are made from the spec and the names that `forward` takes.
"""

from __future__ import annotations

import inspect
import math
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

import modelwright as mw
from modelwright.backends.oracle import run
from modelwright.backends.oracle.model import length_of, masked
from modelwright.backends.verify.draws import drawn
from modelwright.backends.verify.shrink import shrink
from modelwright.backends.verify.shrink_sizes import parts_of
from modelwright.spec import ModelSpec
from modelwright.spec.attention.score_bias import PathBias
from modelwright.spec.condition import Label, Timestep, Vector
from modelwright.spec.embedding import (
    ConvStem,
    Features,
    LearnedInput,
    Patches,
    StackInput,
    has_grid,
    joined,
    main_input,
)
from modelwright.spec.laws.condition import embeds
from modelwright.spec.laws.inputs import known_length
from modelwright.spec.model import Stack

EXACT = 1e-10
"""Relative to the largest number, or to 1 where all are smaller."""
LENGTHS = ((13, 9), (10, 7), (11, 8), (7, 5))
"""Real tokens of the two sequences of the first stack, the second …"""
CASES = ("plain", "left", "right", "left, placed", "right, placed", "documents")
FOUND_EVERYWHERE = 5
"""A token that stands in every sequence where it is real: pools look for it."""
Arrays = dict[str, np.ndarray[Any, Any]]


def of_name(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def arguments(spec: ModelSpec, known: set[str], case: str) -> Arrays:
    """What `forward` may be given, two rows of everything.

    plain: nothing that may be left out. left, right: the second row is shorter and padded on that
    side; with `placed` there are `position_ids` that count what is real. documents: two of them in
    each row, with positions of their own.
    """
    found: Arrays = {}
    for number, name in sorted(enumerate(spec.stacks), key=lambda one: depth(spec, one[1])):
        lengths = LENGTHS[number % len(LENGTHS)]
        places = places_in(spec, name, found)
        if places:
            lengths = lengths[0] + len(places), lengths[1] + len(places)
        found |= stack_arguments(spec, name, lengths, case, places)
        sources: Any = spec.stacks[name].input
        length = known_length(spec, spec.stacks[name])
        length = length or lengths[0] + sum(source.prefix_tokens for source in sources)
        pairs = math.prod(sources[0].grid) if has_grid(sources[0]) else length
        found |= pair_arguments(spec.stacks[name], pairs)
        found |= stream_arguments(spec.stacks[name], lengths)
        found |= condition_arguments(spec.stacks[name])
    return {name: value for name, value in found.items() if name in known}


def depth(spec: ModelSpec, name: str) -> int:
    """How many stacks stand before this one in the longest chain of inputs."""
    sources = [one.stack for one in spec.stacks[name].input if isinstance(one, StackInput)]
    return max((1 + depth(spec, source) for source in sources), default=0)


def places_in(spec: ModelSpec, name: str, found: Arrays) -> list[int]:
    """The token ids that stand for vectors, once for each vector of a sequence."""
    places: list[int] = []
    for one in spec.stacks[name].input:
        if isinstance(one, StackInput) and one.replace is not None:
            other = spec.stacks[one.stack]
            source: Any = other.input[main_input(other.input)]
            if isinstance(source, LearnedInput):
                count = source.tokens
            elif has_grid(source):
                count = getattr(source, "registers", 0) + math.prod(source.grid)
            else:
                count = found[source.argument].shape[1]
            if isinstance(source, ConvStem) and source.axes == 1:
                given = found[source.argument].shape
                count = source.tokens(given[1 if source.layout == "frames" else -1])
            count += source.prefix_tokens
            places += [one.replace] * (count - one.skip)
    return places


def condition_arguments(stack: Stack) -> Arrays:
    """Times from 0 to 1000, classes with "no class" if there is one, and vectors."""
    found: Arrays = {}
    for _, embed in embeds(stack):
        if isinstance(embed, Timestep):
            found[embed.argument] = of_name(embed.argument).uniform(0, 1000, 2)
        elif isinstance(embed, Label):
            found[embed.argument] = np.array([0, embed.classes - (not embed.dropout)])
        elif isinstance(embed, Vector):
            found[embed.argument] = of_name(embed.argument).standard_normal((2, embed.size))
    return found


def stream_arguments(stack: Stack, lengths: tuple[int, int]) -> Arrays:
    """The vectors of each stream; axes of one name have one length."""
    axes = dict.fromkeys(axis for stream in stack.streams.values() for axis in stream.axes)
    sizes = {axis: lengths[number % 2] for number, axis in enumerate(axes)}
    found: Arrays = {}
    for stream in stack.streams.values():
        source: Any = stream.input
        shape = (2, *(sizes[axis] for axis in stream.axes), source.size or stream.d_model)
        found[source.argument] = of_name(source.argument).standard_normal(shape)
    return found


def pair_arguments(stack: Stack, length: int) -> Arrays:
    """Integers of each pair of tokens, and of the edges between them."""
    found: Arrays = {}
    for part in parts_of(stack):
        for bias in getattr(part, "score_bias", ()):
            if not hasattr(bias, "argument"):  # of a stream
                continue
            path = isinstance(bias, PathBias)
            more = (bias.max_distance,) if path else ()
            draw = of_name(bias.argument)
            found[bias.argument] = draw.integers(0, bias.entries + path, (2, length, length, *more))
    return found


def stack_arguments(
    spec: ModelSpec, name: str, lengths: tuple[int, int], case: str, places: list[int]
) -> Arrays:
    stack = spec.stacks[name]
    sources = [stack.input[i] for i in joined(stack.input)]
    if len(sources) > 1:
        return joined_arguments(spec, name, sources, lengths, case)
    return source_arguments(spec, name, sources[0], lengths, case, places)


def joined_arguments(
    spec: ModelSpec, name: str, sources: list[Any], lengths: tuple[int, int], case: str
) -> Arrays:
    """Those of all inputs; data of each token are those of the ids, or of the first input."""
    found: Arrays = {}
    for source in sources:
        found = {**source_arguments(spec, name, source, lengths, case, []), **found}
    main = sources[main_input(sources)]
    found |= source_arguments(spec, name, main, lengths, case, [])
    mask = next((n for n in found if n.endswith("attention_mask")), "")
    one = masked(spec, name)
    if mask and one is None:  # it is that of the whole sequence; the last input has padding
        counts = [vectors_of(spec, source, found) for source in sources]
        found[mask] = np.ones((2, sum(counts)), int)
        found[mask][1, -2:] = 0
        found[mask][1, 1 + ("left" in case)] = 0
    if spec.stacks[name].join == "interleave":  # a position for each of all vectors
        of_all = ("position_ids", "document_ids", "global_mask")
        for role in [role for role in found if role.endswith(of_all)]:
            found[role] = np.repeat(found[role], len(sources), axis=1)
    return found


def vectors_of(spec: ModelSpec, source: Any, found: Arrays) -> int:
    """The number of vectors of one of several inputs."""
    if not isinstance(source, StackInput):
        return length_of(source, found, 0, {})
    count = known_length(spec, spec.stacks[source.stack])
    assert count is not None, "of other stacks, these arguments have no masks"
    return count - source.skip + source.prefix_tokens


def source_arguments(
    spec: ModelSpec,
    name: str,
    source: Any,
    lengths: tuple[int, int],
    case: str,
    places: list[int],
) -> Arrays:
    stack = spec.stacks[name]
    if isinstance(source, LearnedInput):
        return {}
    if isinstance(source, StackInput):
        return {}
    draw = of_name(f"{name} {source.argument}")
    if isinstance(source, Patches):
        return {source.argument: draw.standard_normal((2, *source.shape))}
    if isinstance(source, ConvStem):
        frames = max(14, source.frames(5))
        return {source.argument: draw.standard_normal((2, *source.shape(frames)))}
    room = stack.max_positions and stack.max_positions - source.prefix_tokens
    long, short = (min(length, room or length) for length in lengths)
    short = min(short, max(1, long - 2))
    if isinstance(source, Features):
        prefix = f"{name}_" if len(spec.stacks) > 1 else ""
        values = draw.standard_normal((2, long, source.size or stack.d_model))
    else:
        cut = source.argument.removesuffix("input_ids")
        prefix = cut if cut != source.argument else f"{source.argument.removesuffix('_ids')}_"
        values = draw.integers(0, source.vocab_size or 20, (2, long))
        if places:
            values[np.isin(values, places)] = 1
            values[:, long - short : long - short + len(places)] = places
        kept = long - short + len(places)
        marked = min(FOUND_EVERYWHERE, (source.vocab_size or 20) - 1)
        values[:, [kept, short - 1]] = 1 if marked in places else marked
    if case == "plain":
        return {source.argument: values}
    mask = np.ones((2, long), int)
    if case != "documents":
        mask[1, slice(0, long - short) if "left" in case else slice(short, None)] = 0
    if values.ndim == 2:
        values = np.where(mask == 1, values, spec.tokens.pad or 0)
    document = np.broadcast_to(np.arange(long) >= long // 2, mask.shape).astype(int)
    index = np.broadcast_to(np.arange(long), mask.shape)
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    found = {
        source.argument: values,
        f"{prefix}attention_mask": mask,
        f"{prefix}document_ids": document,
        f"{prefix}prefix_length": np.array([4, 2]),
        f"{prefix}global_mask": (draw.integers(0, 4, mask.shape) == 0) * mask,
    }
    if "placed" in case:
        found[f"{prefix}position_ids"] = positions
    if case == "documents":
        found[f"{prefix}position_ids"] = index - document * (long // 2)
    for other, entries in getattr(source, "add", {}).items():
        found[other] = of_name(other).integers(0, entries, mask.shape)
    return found


# -- what is compiled


def compiled(spec: ModelSpec) -> torch.nn.Module:
    """In float64, every weight moved away from what it starts with."""
    model = mw.compile(spec, dtype="float64", seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.state_dict().values():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return model.eval()


def numpy_weights(model: torch.nn.Module) -> Arrays:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def outputs(model: torch.nn.Module, spec: ModelSpec, data: Arrays) -> Arrays:
    """By name of the head; by name of the last stack where there is none. With the losses of
    routers, which alone are in training mode.
    """
    given = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in data.items()}
    for module in model.modules():
        module.training = hasattr(module, "router")
    with torch.no_grad():
        found = model(**given)
    if not isinstance(found, dict):
        found = {next(iter(spec.heads), list(spec.stacks)[-1]): found}
    if hasattr(model, "auxiliary_loss"):
        found["auxiliary_loss"] = model.auxiliary_loss()
    return {name: value.numpy() for name, value in found.items()}


def differences(spec: ModelSpec, cases: tuple[str, ...] = CASES) -> dict[str, float]:
    """The largest difference of each output in each case, relative to the largest number.

    Raises OracleError where the oracle cannot judge.
    """
    model = compiled(spec)
    known = set(inspect.signature(model.forward).parameters)
    weights = numpy_weights(model)
    found = {}
    for case in cases:
        data = arguments(spec, known, case)
        with np.errstate(all="ignore"):
            right = run(spec, weights, data, drawn)
        for name, value in outputs(model, spec, data).items():
            found[f"{name} ({case})"] = distance(value, right[name])
    return found


def distance(value: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """The largest difference, relative to the largest number; infinite for another shape.

    Numbers that float64 cannot hold must be so on both sides.
    """
    if value.shape != right.shape or (np.isfinite(value) != np.isfinite(right)).any():
        return float("inf")
    value, right = value[np.isfinite(value)], right[np.isfinite(right)]
    scale = max(1.0, float(np.abs(right).max(initial=0)))
    return float(np.abs(value - right).max(initial=0)) / scale


def wrong(
    spec: ModelSpec, cases: tuple[str, ...] = CASES, bound: float = EXACT
) -> dict[str, float]:
    """The differences beyond a bound; numbers that are not finite are beyond any."""
    return {name: error for name, error in differences(spec, cases).items() if not error <= bound}


def read(document: Any) -> ModelSpec:
    """The spec of a random document, whose `extends` names files beside it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in document.files.items():
            Path(folder, name).write_text(type(document)(data).text, encoding="utf-8")
        path = Path(folder, "main.yaml")
        path.write_text(document.text, encoding="utf-8")
        return mw.load(path)


def example(path: Path) -> ModelSpec:
    return shrink(mw.load(path))
