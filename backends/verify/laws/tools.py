"""Laws of kernels, `torch.compile` and `torch.export`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..arguments import Data
from ..measure import EXACT, Largest, Measured, NotHere
from ..rounding import STEPS
from ..subject import Subject
from .cached import pieces
from .choice import tied_at
from .equality import FLOOR, beyond
from .lengths import chosen, of_length
from .padding import first_length

KERNELS = {
    "math": SDPBackend.MATH,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}
Results = dict[str, Tensor]


def kernels(subject: Subject) -> Measured | NotHere:
    """Compare all SDPA kernels that support the model, and masks of ones with no mask.

    With a mask of ones, SDPA does not use `is_causal`. Kernels are tested in float64, or in float32
    if they do not support float64; there the bound is that of the law `float32`.
    """
    if not any(op.kind == "attend" for op in subject.graph.ops()):
        return NotHere("there is no attention with scores")
    used: list[str] = []
    found = {}
    for dtype, bound in (("float64", EXACT), ("float32", FLOOR["float32"])):
        found[dtype] = _kernels(subject, dtype, Largest(bound), used)
    too_large = ""
    if found["float32"].error > FLOOR["float32"]:
        too_large = beyond(subject, "float32", subject.weights)
        moves = 0.0 if too_large else subject.sensitivity("float32")
        found["float32"].bound = max(FLOOR["float32"], STEPS * moves)
    if too_large:
        del found["float32"]
    worst = max(found.values(), key=lambda one: one.error / one.bound)
    note = f"kernels: {', '.join(dict.fromkeys(used))}"
    return worst.measured(f"{note}; {too_large}" if too_large else note)


def _kernels(subject: Subject, dtype: str, largest: Largest, used: list[str]) -> Largest:
    model = subject.model if dtype == "float64" else subject.fresh(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns why it does not use a kernel
        for case in ("plain", "padded right"):
            data = subject.data(case)
            plain = subject.results(data, model)
            for name, kernel in KERNELS.items():
                try:
                    with sdpa_kernel(kernel):
                        found = subject.results(data, model)
                except RuntimeError:
                    continue  # not supported for these shapes or on this machine
                used.append(name)
                _compare(largest, found, plain, f"{dtype}, {case}: {name}")
            if case == "plain":
                masked = _with_masks_of_ones(subject, data)
                found = subject.results(masked, model)
                _compare(largest, found, plain, f"{dtype}: masks of ones")
    return largest


def _compare(largest: Largest, found: Results, expected: Results, where: str) -> None:
    for result, value in expected.items():
        largest.compare(found[result], value, f"{where}: {result}")


def _with_masks_of_ones(subject: Subject, data: Data) -> Data:
    known = subject.arguments.known()
    made = dict(data)
    for stream in subject.arguments.streams():
        name = f"{stream.prefix}attention_mask"
        if name in known:
            ones = np.ones_like(data[stream.ids])
            made[name] = subject.arguments.whole_mask(stream, ones)
    return made


def compiled(subject: Subject) -> Measured | NotHere:
    """`torch.compile(fullgraph=True)` of `forward` and cached steps.

    Tested with one layer of each kind; with `thorough`, all layers.
    """
    largest, subject = Largest(), subject.shallow
    torch.compiler.reset()
    try:
        data = subject.data("padded right")
        model = torch.compile(subject.model, fullgraph=True, backend="aot_eager")
        expected = subject.results(data)
        with torch.no_grad():
            found = subject.named(model(**subject.tensors(data)))
        for name, value in expected.items():
            largest.compare(found[name], value, f"forward: {name}")
        if subject.cached and first_length(subject) > data_length(subject):
            step = torch.compile(
                subject.method(subject.cached), fullgraph=True, backend="aot_eager"
            )
            plain = subject.data("plain")
            sizes = (5, 1, 1, 40) if subject.thorough else (5, 1, 1)  # seconds for each program
            found_steps = pieces(subject, plain, sizes, step)
            largest.compare(found_steps, pieces(subject, plain, sizes), "a prompt, then tokens")
    finally:
        torch.compiler.reset()
    return largest.measured("backend aot_eager, fullgraph")


def data_length(subject: Subject) -> int:
    return max((stream.longest for stream in subject.arguments.streams()), default=0)


def exported(subject: Subject) -> Measured | NotHere:
    """`torch.export` of `forward`: one program for any batch size and length.

    The program is run at lengths and batch sizes around some of the thresholds, or with `thorough`
    around all. It may reject shorter sequences if some size is then 1, because torch
    specialises sizes of 1. Tested with one layer of each kind; with `thorough`, all layers.
    """
    largest, subject = Largest(), subject.shallow
    loops = loops_over_tokens(subject)
    data = of_length(subject, 2, data_length(subject)) if loops else subject.data("plain")
    free = _free_lengths(subject)
    pairs = {name for ids in free for name in subject.arguments.pairs(ids)}
    shapes = {name: _dynamic(name, free, pairs) for name in data}
    program = torch.export.export(
        subject.model, (), kwargs=subject.tensors(data), dynamic_shapes=shapes
    )
    run, refused, tried = program.module(), 0, 0
    for rows, length in _sizes(subject, free):
        given = of_length(subject, rows, length)
        if given.keys() != data.keys():  # a text too short for an image: another program
            continue
        tried += 1
        expected = subject.results(given)
        try:
            with torch.no_grad():
                found = subject.named(run(**subject.tensors(given)))
        except AssertionError:  # a guard of torch.export: some size would be 1
            if length >= data_length(subject):
                raise
            refused = max(refused, length)
            continue
        if not tied_at(subject, given):
            for name, value in expected.items():
                largest.compare(found[name], value, f"{_batch(rows, length)}: {name}")
    if not tried:
        return NotHere("every length that was tried takes other arguments")
    note = f"{tried} sizes"
    if loops:
        note += " of one length: a recurrence loops over its tokens"
    return largest.measured(f"{note}; refused up to {refused} tokens" if refused else note)


def _batch(rows: int, length: int) -> str:
    """`batch of 2, 13 tokens`; a model may read no tokens."""
    return f"batch of {rows}" + (f", {length} tokens" if length else "")


def _free_lengths(subject: Subject) -> set[str]:
    """Token-id arguments that can be longer: not limited by a table, no loop over tokens."""
    if loops_over_tokens(subject):
        return set()
    arguments = subject.arguments
    return {s.ids for s in arguments.streams() if arguments.limit(s.ids) > s.longest}


def loops_over_tokens(subject: Subject) -> bool:
    """Whether a recurrence fixes the lengths of an exported program."""
    return any(op.kind == "recur" for op in subject.graph.ops())


def _dynamic(name: str, free: set[str], pairs: set[str]) -> dict[int, Any]:
    """The dynamic axes of an argument: batch and length, which those of pairs have twice."""
    auto: Any = torch.export.Dim.AUTO
    if name in pairs:
        return {0: auto, 1: auto, 2: auto}
    return {0: auto, 1: auto} if name in free else {0: auto}


def _sizes(subject: Subject, free: set[str]) -> list[tuple[int, int]]:
    """Batch sizes and lengths at which the exported program is run, all above 1."""
    own = data_length(subject)
    if not free:
        return [(2, own), (3, own)]
    tried = [length for length in chosen(subject) if length > 1]
    if not subject.thorough:
        tried = [*tried[:: max(1, len(tried) // 3)], tried[-1]]
    return [(2, own), (3, own + 1), *((2, length) for length in dict.fromkeys(tried))]
