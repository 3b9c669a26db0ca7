"""Laws of numbers: names and shapes of weights, and equality with the reference."""

from __future__ import annotations

import numpy as np
import torch

from ..arguments import Array
from ..measure import Largest, Measured, NotHere
from ..subject import CASES, Subject

FLOOR = {"float32": 2e-5, "bfloat16": 0.05, "float16": 0.01, "float64": 1e-10}
"""What rounding alone may do in each dtype to a model of a few layers."""

STEPS = 64
"""A dtype may be this many times further off than rounding its weights once would move it."""


def weights(subject: Subject) -> Measured | NotHere:
    """Each logical weight once, with its shape; and no buffers."""
    stored = {name: tuple(weight.shape) for name, weight in subject.model.state_dict().items()}
    wanted = {weight.name: weight.shape for weight in subject.graph.weights()}
    wrong = sorted(
        {name for name in stored.keys() | wanted.keys() if stored.get(name) != wanted.get(name)}
    )
    wrong += [name for name, _ in subject.model.named_buffers()]
    return Measured(len(wrong), 0, wrong[0] if wrong else f"{len(wanted)} weights")


def reference(subject: Subject) -> Measured | NotHere:
    """All results, in all cases."""
    largest = Largest()
    for case in CASES:
        found = subject.results(subject.data(case))
        for name, expected in subject.references[case].items():
            largest.compare(found[name], expected, f"{case}: {name}")
    return largest.measured()


def float32(subject: Subject) -> Measured | NotHere:
    return _rounded(subject, "float32")


def chosen(subject: Subject) -> Measured | NotHere:
    """The dtype that was asked for."""
    if subject.dtype in ("", "float32", "float64"):
        return NotHere("no other dtype was asked for")
    return _rounded(subject, subject.dtype)


def _rounded(subject: Subject, dtype: str) -> Measured:
    """A dtype against the reference on weights that it can hold.

    The bound is a floor; a model that magnifies small changes may be as far off as they take it.
    """
    kind = getattr(torch, dtype)
    held = {
        name: torch.from_numpy(weight).to(kind).double().numpy()
        for name, weight in subject.weights.items()
    }
    model, largest = subject.fresh(dtype), Largest(FLOOR[dtype])
    for case in CASES:
        data = subject.data(case)
        found = subject.results(data, model)
        for name, expected in subject.reference(data, held).items():
            largest.compare(found[name], expected, f"{case}: {name}")
            if found[name].dtype != kind:
                largest.take(float("inf"), f"{case}: {name} is {found[name].dtype}")
    if largest.error > largest.bound and np.isfinite(largest.error):
        largest.bound = max(largest.bound, STEPS * _sensitivity(subject, held, kind))
    return largest.measured()


def _sensitivity(subject: Subject, held: dict[str, Array], kind: torch.dtype) -> float:
    """How far the reference moves when every weight moves by one rounding of the dtype."""
    generator = np.random.default_rng(0)
    step = torch.finfo(kind).eps
    moved = {
        name: weight * (1 + step * generator.choice([-0.5, 0.5], weight.shape))
        for name, weight in held.items()
    }
    largest = Largest()
    for case in CASES:
        data = subject.data(case)
        before, after = subject.reference(data, held), subject.reference(data, moved)
        for name, expected in before.items():
            largest.compare(after[name], expected, f"{case}: {name}")
    return largest.error
