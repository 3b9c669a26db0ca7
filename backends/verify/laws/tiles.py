"""The law of tiles: attention in tiles equals attention with one dense mask, as do gradients."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ....compiler.passes.choose_kernels import choose_kernels
from ....compiler.passes.choose_tiles import choose_tiles
from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..rounding import STEPS
from ..subject import Subject
from .cached import PIECES, has_static_cache, pieces
from .derivatives import total
from .dropping import Scales
from .equality import FLOOR
from .tiling import tiles_of

SIZES = (1, 3, 4, 16)
"""Queries of a tile."""
CASES = (
    "plain",
    "padded left",
    "padded right",
    "every argument",
    "every argument, padded",
    "long",
)


def tiles(subject: Subject) -> Measured | NotHere:
    """Outputs, gradients and steps with a cache, for several sizes of tiles."""
    if has_static_cache(subject):
        return NotHere("a static cache has one dense mask")
    subject = for_long_sequences(subject)
    if "DENSE" not in vars(subject.module):
        return NotHere("no mask is computed in tiles")
    largest = Largest(subject.exact)
    for case in CASES:
        data = subject.data(case)
        with tiles_of(subject.module, 0):
            dense = subject.results(data)
        for size in SIZES:
            with tiles_of(subject.module, size):
                found = subject.results(data)
            for name, value in found.items():
                largest.compare(value, dense[name], f"{case}, tiles of {size}: {name}")
        with tiles_of(subject.module, 4, always=False):
            found = subject.results(data)
        for name, value in found.items():
            largest.compare(value, dense[name], f"{case}, tiles of 4 if they read little: {name}")
    _gradients(subject, largest)
    _low_precision(subject, largest)
    _dropouts(subject, largest)
    if subject.cached:
        _steps(subject, largest)
    return largest.measured()


def for_long_sequences(subject: Subject) -> Subject:
    """The same model in tiles wherever it can be, as `build --kernel tiles` makes it."""
    graph = choose_tiles(choose_kernels(subject.graph), forced=True)
    return replace(subject, graph=graph, text=subject.emit(graph))


def _gradients(subject: Subject, largest: Largest) -> None:
    data = subject.data("padded left")
    dense = gradients(subject, data, 0)
    most = max(float(value.abs().max()) for value in dense.values())
    for size in SIZES:
        for name, value in gradients(subject, data, size).items():
            error = float((value - dense[name]).abs().max()) / most  # a bias of keys has none
            largest.take(error, f"tiles of {size}: gradient of {name}")


def gradients(subject: Subject, data: Data, size: int) -> dict[str, Tensor]:
    """The gradient of every weight that gets one."""
    model = subject.fresh()
    with tiles_of(subject.module, size):
        total(subject, model, data)().backward()  # type: ignore[no-untyped-call]
    return {name: w.grad for name, w in model.named_parameters() if w.grad is not None}


def _low_precision(subject: Subject, largest: Largest) -> None:
    """Tiles have the dtype of the model, and are as near to one mask as rounding allows."""
    if subject.chooses:
        return  # rounding may change the choice of experts
    data = subject.data("every argument, padded")
    for dtype in ("float32", "bfloat16"):
        model, found = subject.fresh(dtype), []
        for size in (0, 3):
            with tiles_of(subject.module, size):
                found.append(subject.results(data, model))
        apart = Largest()
        for name, value in found[1].items():
            apart.compare(value, found[0][name], f"{dtype}, tiles of 3: {name}")
            if value.dtype != found[0][name].dtype:
                apart.take(float("inf"), f"{dtype}, tiles of 3: {name} is {value.dtype}")
        if apart.error > FLOOR[dtype] and apart.error > STEPS * subject.sensitivity(dtype):
            largest.take(apart.error, apart.where)


def _dropouts(subject: Subject, largest: Largest) -> None:
    """In training, tiles drop attention weights where one mask does, and at the same rates."""
    data, found = subject.data("plain"), []
    for size in (0, 3):
        model = subject.fresh().train()
        with tiles_of(subject.module, size), Scales():
            found.append(subject.results(data, model))
    for name, value in found[1].items():
        largest.compare(value, found[0][name], f"in training, tiles of 3: {name}")


def _steps(subject: Subject, largest: Largest) -> None:
    data = subject.data("padded left")
    for name, sizes in PIECES.items():
        found = []
        for size in (0, 3):
            with tiles_of(subject.module, size), torch.no_grad():
                found.append(pieces(subject, data, sizes))
        largest.compare(found[1], found[0], f"{name} with a cache, tiles of 3")
