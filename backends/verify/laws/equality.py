"""Laws of weights and outputs: names, shapes, and equality with oracle and reference."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ....spec.installed import CLASSES
from ....spec.model import ModelSpec
from ...oracle import UnknownOptionError, run
from ...oracle.context import Chances
from ..arguments import Array, Data
from ..draws import drawn
from ..measure import EXACT, Largest, Measured, NotHere, as_array
from ..rounding import STEPS
from ..shrink_sizes import parts_of
from ..subject import CASES, Subject

FLOOR = {"float32": 2e-5, "bfloat16": 0.05, "float16": 0.01, "float64": 1e-10}
"""Bound of the rounding error in each dtype, for a model with a few layers."""

MOST = 0.75
"""Fraction of values that must be within the bound if rounding may change the choice of experts."""

WIDE = {"float32": "float32", "bfloat16": "float32", "float64": "float64"}
"""dtype -> the dtype in which norms square values; float16 is not checked."""

BEYOND = "beyond float32"
LAST, LARGE = re.compile(r"\.feed_forward\.(shared_expert\.|experts\.)?down(\.weight)?$"), 30_000
"""Last layers of feed-forwards, and their largest weight, near the end of float16 (65504)."""
TIED = "left out, because experts have equal scores"


def weights(subject: Subject) -> Measured | NotHere:
    """The state dict contains each logical weight once, with its shape, and no buffers."""
    stored = {name: tuple(weight.shape) for name, weight in subject.model.state_dict().items()}
    wanted = {weight.name: weight.shape for weight in subject.graph.weights()}
    wrong = sorted(
        {name for name in stored.keys() | wanted.keys() if stored.get(name) != wanted.get(name)}
    )
    wrong += [name for name, _ in subject.model.named_buffers()]
    return Measured(len(wrong), 0, wrong[0] if wrong else f"{len(wanted)} weights")


def oracle(subject: Subject) -> Measured | NotHere:
    """All outputs equal those of the oracle, which does not use the graph."""

    try:
        return _equal(subject, lambda case: by_oracle(subject, subject.data(case)))
    except UnknownOptionError as error:
        plugins = sorted(
            {
                name
                for name, cls in CLASSES.items()
                if any(isinstance(part, cls) for part in parts_of(subject.spec))
            }
        )
        if plugins:
            return NotHere(f"no oracle for `{plugins[0]}`, which is a plug-in")
        return NotHere(f"the oracle cannot compute it: {error}")


def by_oracle(
    subject: Subject, data: Data, chances: Chances | None = None, spec: ModelSpec | None = None
) -> dict[str, Array]:
    """The oracle's outputs for a spec and data; in training with deterministic dropout."""
    spec = spec or subject.spec
    found = all_by_oracle(subject, data, chances, spec)
    hidden = list(spec.stacks)[-1]  # the output of a model without heads
    return {name: found.get(name, found[hidden]) for name in subject.graph.outputs}


def all_by_oracle(
    subject: Subject, data: Data, chances: Chances | None, spec: ModelSpec
) -> dict[str, Array]:
    """The same with all hidden states, and `auxiliary_loss` if experts are routed."""
    with np.errstate(all="ignore"):
        return run(spec, subject.weights, data, drawn, chances)


def reference(subject: Subject) -> Measured | NotHere:
    """All outputs equal those of the reference, which interprets the graph."""
    return _equal(subject, lambda case: subject.references[case])


def _equal(subject: Subject, right: Callable[[str], dict[str, Array]]) -> Measured | NotHere:
    """Compare all outputs in all cases, except cases with equal scores of experts."""
    errors = {}
    for case in CASES:
        found, errors[case] = subject.results(subject.data(case)), Largest()
        expected = right(case)
        for name in subject.graph.outputs:
            errors[case].compare(found[name], expected[name], f"{case}: {name}")
    tied = []
    if subject.chooses and max(one.error for one in errors.values()) > EXACT:
        tied = [case for case in CASES if _tied(subject, case, EXACT)]
    if len(tied) == len(CASES):
        return NotHere(f"all cases {TIED}")
    worst = max((errors[case] for case in CASES if case not in tied), key=lambda one: one.error)
    if not np.isfinite(worst.error) and (too_large := beyond(subject, "float64", subject.weights)):
        return NotHere(too_large)
    return worst.measured(f"{', '.join(tied)}: {TIED}" if tied else "")


def float32(subject: Subject) -> Measured | NotHere:
    return _rounded(subject, "float32")


def chosen(subject: Subject) -> Measured | NotHere:
    """The law `dtype`: the requested dtype, or float16 for specs with a float32 residual stream."""
    if subject.dtype in ("", "float32", "float64"):
        if any(getattr(part, "float32", False) for part in parts_of(subject.spec)):
            found = _rounded(subject, "float16")
            fails = isinstance(found, Measured) and found.error > found.bound
            return found if fails else _rounded(_beyond_float16(subject), "float16")
        return NotHere("no other dtype was requested")
    return _rounded(subject, subject.dtype)


def _beyond_float16(subject: Subject) -> Subject:
    """The same model with larger last weights of feed-forwards, whose results float16 cannot hold.

    Only a residual stream in float32 holds them.
    """
    weights = {
        name: weight * (LARGE / np.abs(weight).max()) if LAST.search(name) else weight
        for name, weight in subject.weights.items()
    }
    return replace(subject, weights=weights)


def _rounded(subject: Subject, dtype: str) -> Measured | NotHere:
    """Compare a dtype with the reference, for weights that the dtype can represent.

    The bound is larger for models that amplify small changes. If it is exceeded and rounding may
    have changed the choice of experts, only most of the values must be within it. Models whose
    values overflow when squared are not tested.
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
    if largest.error <= largest.bound:
        return largest.measured()
    too_large = beyond(subject, dtype, held)
    if too_large:
        return NotHere(too_large)
    if not np.isfinite(largest.error):
        return largest.measured()
    largest.bound = max(largest.bound, STEPS * subject.sensitivity(dtype, held))
    if largest.error <= largest.bound or not subject.chooses:
        return largest.measured()
    most = _most(pairs, largest.bound)
    if most.error <= most.bound or dtype != "float32":
        return most.measured(f"{MOST:.0%} of the numbers: rounding changed the choice of an expert")
    tied = [case for case in CASES if _tied(subject, case, largest.bound)]
    left = [pair for pair in pairs if pair[0].partition(":")[0] not in tied]
    if not left:
        return NotHere(f"all cases {TIED}")
    return _most(left, largest.bound).measured(f"{', '.join(tied)}: {TIED}" if tied else "")


def _most(pairs: list[tuple[str, Tensor, Array]], bound: float) -> Largest:
    """The error below which most values of each output are."""
    most = Largest(bound)
    for where, ours, expected in pairs:
        difference = np.abs(as_array(ours) - expected) / max(float(np.abs(expected).max()), 1e-30)
        most.take(float(np.quantile(difference, MOST)), where)
    return most


def _tied(subject: Subject, case: str, error: float) -> bool:
    """Whether an expert is chosen by a margin below this error, relative to the largest score."""
    return subject.choices(subject.data(case)).margin < error


def beyond(subject: Subject, dtype: str, held: dict[str, Array]) -> str:
    """A note if the square of the model's largest value overflows; else ""."""
    reached = max(subject.choices(subject.data(case), held).largest for case in CASES)
    if dtype not in WIDE or reached <= torch.finfo(getattr(torch, WIDE[dtype])).max ** 0.5:
        return ""
    return f"beyond {WIDE[dtype]}: the square of {reached:.0e} overflows"
