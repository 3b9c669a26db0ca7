"""Weights that have no numbers need none drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DRAWN = frozenset(
    getattr(torch.Tensor, f"{name}_")
    for name in ("normal", "uniform", "bernoulli", "exponential", "random", "fill", "zero")
)


class Undrawn(TorchFunctionMode):
    """Leaves tensors on the meta device as they are.

    They hold nothing, but the first `normal_` of one imports torch's compiler: a second or two,
    and 70 MB.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in DRAWN or getattr(func, "__module__", "") == "torch.nn.init":
            tensor = args[0] if args else named["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **named)
