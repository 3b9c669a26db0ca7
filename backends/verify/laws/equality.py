"""Laws of numbers: names and shapes of weights, and equality with the reference."""

from __future__ import annotations

import numpy as np
import torch

from ..arguments import Array
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import CASES, Subject

FLOOR = {"float32": 2e-5, "bfloat16": 0.05, "float16": 0.01, "float64": 1e-10}
"""What rounding alone may do in each dtype to a model of a few layers."""

STEPS = 8
"""A dtype may be this many times as far off as moving each weight by half of its last place is.

The examples are off by 3 such steps at most in float32, and by 1 in halves.
"""

MOST = 0.75
"""The share of numbers that is compared where rounding may choose another expert."""


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
    Where it still is too far off, and rounding may have chosen another expert for some tokens, most
    of the numbers must be as near.
    """
    kind = getattr(torch, dtype)
    held = {
        name: torch.from_numpy(weight).to(kind).double().numpy()
        for name, weight in subject.weights.items()
    }
    model = subject.fresh(dtype)
    pairs = []
    for case in CASES:
        data = subject.data(case)
        found = subject.results(data, model)
        for name, expected in subject.reference(data, held).items():
            pairs.append((f"{case}: {name}", found[name], expected))
    largest = Largest(FLOOR[dtype])
    for where, ours, expected in pairs:
        largest.compare(ours, expected, where)
        if ours.dtype != kind:
            largest.take(float("inf"), f"{where} is {ours.dtype}")
    if largest.error <= largest.bound or not np.isfinite(largest.error):
        return largest.measured()
    largest.bound = max(largest.bound, STEPS * _sensitivity(subject, held, kind))
    if largest.error <= largest.bound or not _chooses(subject):
        return largest.measured()
    most = Largest(largest.bound)
    for where, ours, expected in pairs:
        difference = np.abs(as_array(ours) - expected) / max(float(np.abs(expected).max()), 1e-30)
        most.take(float(np.quantile(difference, MOST)), where)
    return most.measured(f"{MOST:.0%} of the numbers: rounding chose another expert somewhere")


def _chooses(subject: Subject) -> bool:
    return any(op.kind in ("top_k", "sparse_mixer") for op in subject.graph.ops())


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
