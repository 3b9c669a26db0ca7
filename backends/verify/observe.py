"""What attention does inside an emitted file: the weight of each key, for each query.

The two functions in which an emitted file turns scores into weighted values are replaced while it
runs. Given the unit vectors for values, they give the weights themselves.
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
"""Function -> the place of the values among its arguments."""


@dataclass(frozen=True, eq=False)
class Observed:
    """One attention: the weights (B, H, T, S) of its keys, the values, and what came of them."""

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
    """Every attention that the functions of an emitted file compute, in order."""
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
