"""Checks of a model's arguments, made once, where they enter it; vectors in places of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def check_vectors(shape: tuple[int | str, ...], **given: Tensor) -> None:
    """Check shapes of images, signals and vectors. An axis with a name may have any length."""
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} must be a tensor {shape}, not a {type(x).__name__}")
        sizes = zip(x.shape, shape, strict=False)
        if x.dim() != len(shape) or any(n != m and not isinstance(m, str) for n, m in sizes):
            wanted = str(shape).replace("'", "")  # names of axes are not quoted
            raise ValueError(f"{name} must have the shape {wanted}, not {(*x.shape,)}")


def check_frames(x: Tensor, *convolutions: nn.Conv1d) -> None:
    """Raise ValueError if a signal x (B, channels, frames) is too short for these convolutions."""
    least = 1
    for layer in reversed(convolutions):
        reach = layer.dilation[0] * (layer.kernel_size[0] - 1)
        least = (least - 1) * layer.stride[0] + reach + 1
    if x.size(-1) < least:
        raise ValueError(f"{x.size(-1)} frames, but the convolutions need at least {least}")


def join_inputs(*inputs: Tensor | None) -> Tensor:
    """The vectors of all inputs that are given, one after the other, (B, T, D)."""
    given = [x for x in inputs if x is not None]
    if not given:
        raise ValueError("no input is given; at least one is needed")
    for x in given[1:]:
        if x.shape[::2] != given[0].shape[::2]:  # the numbers of sequences, and the widths
            raise ValueError(f"inputs of the shapes {(*given[0].shape,)} and {(*x.shape,)}")
    return torch.cat(given, dim=1)


def interleave_inputs(*inputs: Tensor) -> Tensor:
    """The first vectors of all inputs (B, T1, D), then their second ones, and so on: (B, T, D)."""
    for x in inputs[1:]:
        if x.shape[:2] != inputs[0].shape[:2]:
            raise ValueError(f"inputs of {(*inputs[0].shape[:2],)} and {(*x.shape[:2],)} vectors")
    return torch.stack(inputs, dim=2).flatten(1, 2)


def place_rows(x: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """Replace x (B, T, D) where `places` (B, T) is true with the vectors of `rows` (N, M, D)."""
    if not torch.compiler.is_compiling() and places.sum() != rows[..., 0].numel():
        count = int(places.sum())
        raise ValueError(f"{count} placeholders for {rows.size(0)} x {rows.size(1)} vectors")
    return x.masked_scatter(places[..., None], rows.type_as(x))


def check_unplaced(places: Tensor) -> None:
    """Raise ValueError if `places` (B, T) has placeholders; there are no vectors for them."""
    if not torch.compiler.is_compiling() and places.any():
        raise ValueError(f"{int(places.sum())} placeholders, but no vectors for them")


def check_lengths(axis: str, *lengths: int) -> None:
    """Raise ValueError unless an axis has the same length in all inputs."""
    for length in lengths[1:]:
        if length != lengths[0]:
            raise ValueError(f"the sizes of the axis {axis} differ: {lengths[0]} and {length}")
