"""Observe the attention weights inside an emitted file.

The two functions that compute weighted values are replaced while the model runs. With unit vectors
as values, they return the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

PLACES = {"scaled_dot_product_attention": 2, "weighted_values": 1}
"""Function -> index of the values among its arguments."""


@dataclass(frozen=True, eq=False)
class Observed:
    """One attention: weights (B, H, T, S), values and output."""

    weights: Tensor
    values: Tensor
    result: Tensor


class Functions:
    """`torch.nn.functional` with some functions replaced."""

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(functional, name)


@contextmanager
def observing(module: ModuleType) -> Iterator[list[Observed]]:
    """Collect all attentions that an emitted file computes, in order."""
    seen: list[Observed] = []
    before = dict(vars(module))
    fused = "scaled_dot_product_attention"
    watch = _watching(getattr(functional, fused), PLACES[fused], seen)
    vars(module)["F"] = Functions(**{fused: watch})
    for name in PLACES.keys() & before.keys():
        vars(module)[name] = _watching(before[name], PLACES[name], seen)
    try:
        yield seen
    finally:
        vars(module).update({name: before[name] for name in ("F", *PLACES) if name in before})


def _watching(
    function: Callable[..., Tensor], place: int, seen: list[Observed]
) -> Callable[..., Tensor]:
    def watched(*arguments: Any, **options: Any) -> Tensor:
        result = function(*arguments, **options)
        values: Tensor = arguments[place]
        keys = values.size(-2)
        units = torch.eye(keys, dtype=values.dtype, device=values.device)
        given = list(arguments)
        given[place] = units.expand(*values.shape[:-2], keys, keys)
        seen.append(Observed(function(*given, **options), values, result))
        return result

    return watched
