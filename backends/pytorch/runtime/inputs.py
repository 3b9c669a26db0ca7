"""Checks of a model's arguments, made once, where they enter it; vectors in places of tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def check_shapes(*shapes: tuple[int, ...], **given: Tensor | None) -> None:
    """Raise ValueError unless given arguments are ints of one of the shapes; masks may be bool."""
    for name, x in given.items():
        kind = "int or bool" if name.endswith("mask") else "int64"
        small = x is not None and kind == "int64" and x.element_size() < 4  # bool, uint8, int16
        if x is not None and (small or x.is_floating_point() or x.shape not in shapes):
            shape = shapes[0] if x.ndim == len(shapes[0]) else f"with {len(shapes[0])} axes"
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def place_rows(x: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """x (B, T, D) with the vectors of `rows` (N, M, D), in order, where `places` (B, T) is true."""
    if not torch.compiler.is_compiling() and places.sum() != rows[..., 0].numel():
        count = int(places.sum())
        raise ValueError(f"{count} places for {rows.size(0)} x {rows.size(1)} vectors")
    return x.masked_scatter(places[..., None], rows.type_as(x))


def check_unplaced(places: Tensor) -> None:
    """Raise ValueError if tokens `places` (B, T) stand for vectors; there are none."""
    if not torch.compiler.is_compiling() and places.any():
        raise ValueError(f"{int(places.sum())} tokens stand for vectors, but none are given")


def check_lengths(axis: str, *lengths: int) -> None:
    """Raise ValueError unless an axis has the same length in all streams."""
    for length in lengths[1:]:
        if length != lengths[0]:
            raise ValueError(f"the axis {axis} has {lengths[0]} and {length} positions")
