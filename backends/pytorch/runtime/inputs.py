"""The check of a model's integer arguments, made once, where they enter it."""

from __future__ import annotations

from torch import Tensor


def check_shapes(*shapes: tuple[int, ...], **given: Tensor | None) -> None:
    """Raise ValueError unless given arguments are ints of one of the shapes; masks may be bool."""
    for name, x in given.items():
        kind = "int or bool" if name.endswith("mask") else "int64"
        small = x is not None and kind == "int64" and x.element_size() < 4  # bool, uint8, int16
        if x is not None and (small or x.is_floating_point() or x.shape not in shapes):
            shape = shapes[0] if x.ndim == len(shapes[0]) else f"with {len(shapes[0])} axes"
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")
