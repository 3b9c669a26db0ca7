"""The law `lengths`: outputs are correct at lengths around each threshold.

Errors of chunks, windows, blocks, RoPE scaling or position tables appear at one token more or less
than a threshold. Thresholds are the integers in the emitted file and sizes in the spec.
"""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np

from ....spec.masks import Mask, Range, atoms
from ...oracle import UnknownOptionError
from ..arguments import Data
from ..measure import EXACT, Largest, Measured, NotHere
from ..shrink_sizes import parts_of
from ..subject import Subject
from .cached import pieces, reading_stream
from .choice import tied_at
from .equality import by_oracle
from .padding import first_length

LONGEST = 200
"""The maximum length: more than two chunks of linear attention, of 96 tokens."""

SHORT = ((3, 1), (3, 2), (1, 1), (1, 2), (2, 3))
"""Rows and tokens of batches so small that some experts get no tokens."""

FEW = 14
"""Number of lengths that are tested; all of them with `thorough`."""


def lengths(subject: Subject) -> Measured | NotHere:
    """Compare a sequence of each length with the reference, and the longest with the oracle; and
    one of a single token beside padding.

    With a cache, the longest sequence is also computed in chunks that end around 96 tokens.
    """
    arguments = subject.arguments
    largest = Largest()
    frames = _of_frames(subject, largest)
    if not arguments.streams():
        if not frames:
            return NotHere("no argument is a sequence")
        return largest.measured(f"{frames} lengths of signals")
    tried = chosen(subject)
    for rows, length in [*SHORT, *((1, length) for length in tried)]:
        _of_data(subject, of_length(subject, rows, length), f"{rows} of {length} tokens", largest)
    if not any(key != "pad" for key in arguments.kept_ids):  # a pool searches for the others
        for side in ("left", "right"):
            data = arguments.padded(side, alone=True)
            _of_data(subject, data, f"one token, padded {side}", largest)
    _longest(subject, of_length(subject, 1, max(tried)), largest)
    signals = f"; {frames} lengths of signals" if frames else ""
    return largest.measured(f"{len(tried)} lengths up to {max(tried)}{signals}")


def _of_data(subject: Subject, data: Data, where: str, largest: Largest) -> None:
    """The outputs for some data are those of the reference, unless experts have equal scores."""
    found, expected, errors = subject.results(data), subject.reference(data), Largest()
    for name, value in found.items():
        errors.compare(value, expected[name], f"{where}: {name}")
    if errors.error <= EXACT or not tied_at(subject, data):
        largest.take(errors.error, errors.where)


def _of_frames(subject: Subject, largest: Largest) -> int:
    """Signals of other lengths: convolutions round the number of tokens. Returns their number."""
    plain, tried = subject.data("plain"), 0
    for stack, fact in subject.graph.inputs.items():
        if stack in subject.graph.parts or fact.argument not in plain:
            continue
        if fact.kind not in ("conv", "features"):
            continue
        value = plain[fact.argument]
        axis = fact.axis % value.ndim
        usual = value.shape[axis]
        most = subject.graph.limits.get(stack)
        for frames in (*range(usual - 2, usual + 4), 2 * usual + 1):
            tokens = fact.tokens(frames)
            if tokens < 1 or (most is not None and tokens > int(most)):
                continue
            sizes = [frames if i == axis else size for i, size in enumerate(value.shape)]
            draw = np.random.default_rng(frames).standard_normal(sizes)
            data, where = {**plain, fact.argument: draw}, f"{frames} frames"
            data |= subject.arguments.of_pairs(fact.argument, len(value), tokens)
            found, tried = subject.results(data), tried + 1
            for name, expected in subject.reference(data).items():
                largest.compare(found[name], expected, f"{where}: {name}")
            try:
                right = by_oracle(subject, data)
            except UnknownOptionError:
                continue
            for name, expected in right.items():
                largest.compare(found[name], expected, f"{where}, compared with the oracle: {name}")
    return tried


def _longest(subject: Subject, data: Data, largest: Largest) -> None:
    """The longest sequence: compared with the oracle, and in chunks."""
    try:
        expected = by_oracle(subject, data)
    except UnknownOptionError:
        expected = {}
    if not tied_at(subject, data):
        found = subject.results(data)
        for name, value in expected.items():
            largest.compare(
                found[name], value, f"longest sequence, compared with the oracle: {name}"
            )
    competing = any(op.kind == "within_capacity" for op in subject.graph.ops())
    if not subject.cached or competing:
        return
    length = data[reading_stream(subject).ids].shape[1]
    if first_length(subject) < length:
        return
    whole = subject.hidden(subject.cached, data)
    for sizes in ((95, 1, 1, length), (96, 1, 97, 1, length), (1, length)):
        found_pieces = pieces(subject, data, sizes)
        largest.compare(found_pieces, whole, f"pieces of {', '.join(map(str, sizes))}")


def of_length(subject: Subject, rows: int, length: int) -> Data:
    """Inputs in which the stream with the highest limit has this length, others at most this."""
    arguments = subject.arguments
    plain = arguments.plain()
    data = {name: np.resize(value, (rows, *value.shape[1:])) for name, value in plain.items()}
    for stream in arguments.streams():
        if stream.ids in arguments.sources:
            continue
        most = min(length, arguments.limit(stream.ids, LONGEST))
        needed = sum(stream.placed.values())
        most = most if arguments.may_be_absent(stream) else max(most, needed)
        fits = needed <= most
        sized = replace(stream, longest=most, shorter=most)
        for name in () if fits else arguments.vectors(stream):
            data.pop(name, None)
        words = arguments.words(sized, most, placed=fits)
        data[stream.ids] = np.resize(words, (rows, most))
        data |= arguments.of_pairs(stream.ids, rows, most + sum(arguments.around(stream)))
    return data


def chosen(subject: Subject) -> list[int]:
    """The tested lengths, always including the longest."""
    streams = subject.arguments.streams()
    longest = max(subject.arguments.limit(stream.ids, LONGEST) for stream in streams)
    found = {
        length
        for number in thresholds(subject)
        for length in (number - 1, number, number + 1, 2 * number + 1)
        if 1 <= length <= longest
    }
    ordered = sorted(found | {longest})
    if subject.thorough or len(ordered) <= FEW:
        return ordered
    wanted = {length for number in _named(subject) for length in (number - 1, number, number + 1)}
    first = sorted(wanted & found | {longest})
    step = max(1, len(ordered) // max(1, FEW - len(first)))
    return sorted({*first, *ordered[::step], longest})


def thresholds(subject: Subject) -> set[int]:
    """Integers of the emitted file and of the spec that may be thresholds."""
    written = {
        node.value
        for node in ast.walk(ast.parse(subject.text))
        if isinstance(node, ast.Constant) and type(node.value) is int
    }
    experts = {int(op.attrs["experts"]) for op in subject.graph.ops() if op.kind == "expert_linear"}
    return {number for number in written | _named(subject) | experts if 1 < number <= LONGEST}


NAMES = ("original_max_positions", "max_distance", "length", "capacity", "kernel", "buckets")


def _named(subject: Subject) -> set[int]:
    """Windows, strides, blocks, original lengths of RoPE scalings, sizes of position tables."""
    found: set[int] = {96}
    for part in parts_of(subject.spec):
        for name in type(part).model_fields:
            value = getattr(part, name)
            masks = value if isinstance(value, tuple) else (value,)
            for mask in masks:
                if isinstance(mask, Mask):
                    found |= {n for atom in atoms(mask) for n in _numbers(atom.args)}
            if name in NAMES and type(value) is int:
                found.add(value)
    return found


def _numbers(args: tuple[object, ...]) -> set[int]:
    ends = [end for arg in args if isinstance(arg, Range) for end in (arg.start, arg.stop)]
    return {abs(n) for n in (*args, *ends) if type(n) is int}
