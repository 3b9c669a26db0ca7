"""The law `gradients`: every weight that affects an output has a gradient."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import Array, Data
from ..measure import EXACT, Largest, Measured, NotHere
from ..subject import Subject

SHIFTS = re.compile(r"(^|\.)(position_)?key(_up|_rope|_global)?(_norm)?\.bias$")
"""A bias of keys shifts all scores of a query equally, to which softmax is invariant."""

SELECTION = "selection_bias"
"""Set by load balancing, not by gradients (Wang et al., 2024, arXiv:2408.15664)."""

MOVED = (1e-3, 1e-4, 1e-5, 1e-6)
"""Step sizes of a weight; smaller ones if a router would choose other experts."""


def gradients(subject: Subject) -> Measured | NotHere:
    """A weight without a gradient is an error, unless it does not affect the reference either.

    Exempt are key biases before a softmax, unused rows of tables (tables count as a whole), weights
    that are not trained, and weights that do not affect the reference.
    """
    model, data = subject.fresh(), subject.data("every argument")
    still = without_gradient(subject, model, data)
    infinite = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    trained = {weight.name: weight.weight.trained for weight in subject.graph.weights()}
    still = [name for name in still if trained.get(name, True)]
    lost = [name for name in still if _matters(subject, name, data)]
    exempt = [name for name in still if name not in lost]
    note = f"exempt, because no output depends on it: {', '.join(exempt[:3])}" if exempt else ""
    if len(exempt) > 3:
        note += f" and {len(exempt) - 3} more"
    fixed = [n for n, w in model.named_parameters() if SELECTION in n and w.requires_grad]
    wrong = infinite + lost + fixed
    return Measured(len(wrong), 0, wrong[0] if wrong else f"{len(trained)} weights", note)


def without_gradient(subject: Subject, model: nn.Module, data: Data) -> list[str]:
    """The weights whose gradient is None or all zero after one backward pass."""
    model.zero_grad()
    total = sum(
        (value * torch.linspace(1, 2, value.numel(), dtype=value.dtype).view_as(value)).sum()
        for value in subject.named(model(**subject.tensors(data))).values()
    )
    assert isinstance(total, Tensor)
    total.backward()  # type: ignore[no-untyped-call]
    return [
        name
        for name, weight in model.named_parameters()
        if weight.grad is None or not bool((weight.grad != 0).any())
    ]


def _matters(subject: Subject, name: str, data: dict[str, Array]) -> bool:
    """Whether this weight affects the reference without changing a choice of experts."""
    if SHIFTS.search(name) and "rotary" not in repr(subject.spec):
        return False
    weight, before = subject.weights[name], subject.reference(data)
    noise = np.random.default_rng(0).standard_normal(weight.shape)
    chosen = subject.choices(data).chosen
    for step in MOVED:
        moved = {**subject.weights, name: weight + step * noise}
        if subject.choices(data, moved).chosen == chosen:
            break
    else:
        return False
    after, largest = subject.reference(data, moved), Largest()
    for result, expected in before.items():
        largest.compare(after[result], expected, result)
    return largest.error > 100 * EXACT
