"""The law `bfloat16`: the error is bounded by the depth of the model."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ....spec.part import Nothing
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..rounding import STEPS
from ..subject import Subject
from .cached import PIECES, pieces, reading_stream
from .equality import MOST, beyond
from .fresh import BRANCHES
from .lengths import of_length
from .padding import first_length
from .sight import crowded

DTYPE = "bfloat16"
ROUNDINGS = 2.5
"""Allowed root mean square error of one branch, in rounding units. Errors of branches add up as if
they were independent. The examples need up to 2."""

LENGTH = 130
WIDE = frozenset({"cos", "sin", "topk", "log1p", "cumsum", "tril"})
"""Functions that must be computed in float32 or wider: angles, slopes, sums over positions (`tril`
keeps the weights of earlier ones in linear attention), routing.
"""


def bfloat16(subject: Subject) -> Measured | NotHere:
    """The root mean square error of bfloat16 relative to float64, with the same weights.

    The bound is 2.5 rounding units times the square root of the number of branches, or measured for
    models that amplify small changes (by choosing other experts, if need be). If rounding changes
    the choice of experts, three quarters of the values are compared. Angles, sums over positions
    and routing must be in float32 or wider.
    """
    kind = getattr(torch, DTYPE)
    held = {
        name: torch.from_numpy(weight).to(kind).double().numpy()
        for name, weight in subject.weights.items()
    }
    model = subject.fresh(DTYPE)
    largest = Largest(ROUNDINGS * unit(kind) * math.sqrt(depth(subject)))
    cases = _cases(subject)
    with Narrow(_routers(subject, model)) as narrow:
        for what, data in cases.items():
            found, expected = subject.results(data, model), subject.reference(data, held)
            for name, value in found.items():
                largest.take(_error(subject, value, expected[name]), f"{what}: {name}")
        _in_steps(subject, model, held, largest)
    if narrow.found:
        largest.take(float("inf"), f"`{narrow.found[0]}` is computed in {DTYPE}")
        return largest.measured()
    for rerouted in (False, True) if np.isfinite(largest.error) else ():
        if largest.error > largest.bound:
            moves = subject.sensitivity(DTYPE, held, cases.values(), rerouted=rerouted)
            largest.bound = max(largest.bound, STEPS / 2 * moves)
    if largest.error > largest.bound and (too_large := beyond(subject, DTYPE, held)):
        return NotHere(too_large)
    return largest.measured()


def _in_steps(subject: Subject, model: nn.Module, held: dict[str, Array], largest: Largest) -> None:
    """Steps with a cache, whose keys and values have the dtype of the model."""
    if not subject.cached or crowded(subject):
        return
    if first_length(subject) < reading_stream(subject).longest:
        return
    data = subject.data("padded left")
    exact = subject.with_model(subject.fresh(), held)
    exact.model.load_state_dict({name: torch.from_numpy(held[name]) for name in held}, strict=False)
    found = pieces(subject.with_model(model, held), data, PIECES["a prompt, then tokens"])
    expected = as_array(exact.hidden(subject.cached, data))
    where = "a prompt, then tokens, with a cache"
    largest.take(_error(subject, found, expected), where)
    if found.dtype != getattr(torch, DTYPE):
        largest.take(float("inf"), f"{where}: {found.dtype}")


def _routers(subject: Subject, model: nn.Module) -> set[int]:
    """Memory addresses of router weights, to recognise their matrix products."""
    weights = model.named_parameters() if subject.chooses else ()
    return {weight.data_ptr() for name, weight in weights if name.endswith(".router.weight")}


def unit(kind: torch.dtype) -> float:
    """Rounding unit: half of the distance from 1 to the next number of a dtype."""
    return float(torch.finfo(kind).eps) / 2


def depth(subject: Subject) -> int:
    """Number of sequential branches, plus the head."""
    return 1 + sum(
        sum(not isinstance(getattr(stack.blocks[kind], key), Nothing) for key in BRANCHES)
        for stack in subject.spec.stacks.values()
        for kind in stack.order
    )


def _cases(subject: Subject) -> dict[str, Data]:
    found = {case: subject.data(case) for case in ("plain", "padded left")}
    if subject.arguments.streams():
        found[f"{LENGTH} tokens"] = of_length(subject, 1, LENGTH)
    return found


def _error(subject: Subject, found: Tensor, expected: Array) -> float:
    """Root mean square error relative to that of the expected values."""
    apart, size = np.abs(as_array(found) - expected), math.sqrt(float(np.square(expected).mean()))
    if subject.chooses:
        apart = apart[apart <= np.quantile(apart, MOST)]
    return math.sqrt(float(np.square(apart).mean())) / max(size, 1e-30)


class Narrow(TorchFunctionMode):
    """Records forbidden computations in half precision. routers: addresses of their weights."""

    def __init__(self, routers: Collection[int]) -> None:
        super().__init__()
        self.routers = routers
        self.found: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in WIDE and isinstance(args[0], Tensor) and args[0].dtype == torch.bfloat16:
            self.found.append(name)
        if name == "linear" and args[1].data_ptr() in self.routers:  # not a float32 copy
            self.found.append("linear of a router")
        return func(*args, **(kwargs or {}))
