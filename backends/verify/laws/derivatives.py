"""The law `differences`: gradients equal finite differences."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject

STEPS = (1e-4, 1e-5, 1e-6, 1e-7)
"""Step sizes. The best one counts, since a router or ReLU may switch within a larger step."""

BOUND = 1e-4
"""Bound, relative to the derivative along a typical direction. Central differences are exact to
about 1e-8."""


def differences(subject: Subject) -> Measured | NotHere:
    """Compare the gradient with central differences along a random direction of each weight.

    Weights without a gradient are tested by the law `gradients`.
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
"""Gradients below this fraction of the largest are rounding errors, such as those of key biases."""


def total(subject: Subject, model: nn.Module, data: Data) -> Callable[[], Tensor]:
    """A random linear combination of all outputs."""
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
    """The difference of gradient and finite difference, relative to a typical derivative.

    The first step size within the bound suffices.
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
