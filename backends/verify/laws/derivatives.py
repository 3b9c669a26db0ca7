"""The law of derivatives: gradients are what small steps of the weights say."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject

STEPS = (1e-4, 1e-5, 1e-6)
"""Of these the one that fits best counts: where a router or a ReLU switches within one step, a
smaller one does not."""

BOUND = 1e-4
"""Relative to the derivative along a usual direction. Central differences are off by 1e-8 or so."""


def differences(subject: Subject) -> Measured | NotHere:
    """Along a random direction of each weight, the gradient is the central difference.

    What a weight without a gradient does is a matter of the law `gradients`.
    """
    model, data = subject.fresh(), subject.data("padded left")
    function = total(subject, model, data)
    model.zero_grad()
    value = function()
    value.backward()  # type: ignore[no-untyped-call]
    largest = Largest(BOUND)
    grads = [w.grad for w in model.parameters() if w.grad is not None]
    least = NOTHING * max((float(grad.norm()) for grad in grads), default=0.0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.grad is None or not bool(weight.grad.any()):
                continue
            largest.take(_error(function, name, weight, float(value), least), name)
    return largest.measured() if largest.compared else NotHere("no weight has a gradient")


NOTHING = 1e-7
"""Gradients so much smaller than the largest one are rounding: a bias of keys has none."""


def total(subject: Subject, model: nn.Module, data: Data) -> Callable[[], Tensor]:
    """One number of all results, in which each has a factor of its own."""
    given = subject.tensors(data)

    def compute() -> Tensor:
        found = torch.zeros((), dtype=torch.float64, device=subject.device)
        for result in subject.named(model(**given)).values():
            factors = torch.linspace(1, 2, result.numel(), dtype=result.dtype, device=result.device)
            found = found + (result * factors.view_as(result).sin()).sum()
        return found

    return compute


def _error(
    function: Callable[[], Tensor], name: str, weight: nn.Parameter, value: float, least: float
) -> float:
    """How far the gradient is from the difference, relative to the derivative that is usual.

    The first step that fits suffices.
    """
    grad = weight.grad
    assert grad is not None
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    way = torch.from_numpy(generator.standard_normal(tuple(weight.shape))).to(weight)
    slope, usual = float((grad * way).sum()), max(float(grad.norm()), least)
    before = weight.detach().clone()
    error = float("inf")
    for step in STEPS:
        ends = []
        for sign in (1, -1):
            weight.copy_(before + sign * step * way)
            ends.append(float(function()))
        found = (ends[0] - ends[1]) / (2 * step)
        rounding = 1e-14 * abs(value) / step
        error = min(error, max(0.0, abs(found - slope) - rounding) / max(usual, 1e-30))
        if error <= BOUND:
            break
    weight.copy_(before)
    return error
