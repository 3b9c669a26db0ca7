"""The check of a model's integer arguments, made once, where they enter it."""

from __future__ import annotations

from torch import Tensor


def check_shapes(*shapes: tuple[int, ...], **given: Tensor | None) -> None:
    """Raise ValueError unless each given argument is int or bool and has one of the shapes."""
    for name, x in given.items():
        if x is not None and (x.is_floating_point() or x.shape not in shapes):
            raise ValueError(f"{name} must be int or bool {shapes[0]}, not {x.dtype} {(*x.shape,)}")
