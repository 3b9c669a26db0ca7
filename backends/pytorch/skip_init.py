"""Skip initialisation on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DRAWN = frozenset(
    getattr(torch.Tensor, f"{name}_")
    for name in ("normal", "uniform", "bernoulli", "exponential", "random", "fill", "zero")
)


class SkipInit(TorchFunctionMode):
    """Skip in-place initialisation of tensors on the meta device.

    It has no effect there, but the first `normal_` imports torch's compiler.
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
