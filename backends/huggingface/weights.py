"""Read the tensors of a checkpoint as the weights of a compiled model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..checkpoint_files import Weights
from ..checkpoint_readers import not_floating
from .errors import CheckpointError
from .layouts import Shape
from .names import LogicalNames, Move, Names

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def read_checkpoint(
    weights: Mapping[str, Shape],
    found: Weights,
    names: Names | LogicalNames,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """Yield each weight with its logical name, reading one tensor at a time.

    weights: names and shapes of the model's weights
    device, dtype: None keeps the stored dtype and the memory-mapped pages of the file

    Raises CheckpointError before reading any data; it lists all tensors that are missing,
    unexpected or of another shape, with both names.
    """
    import torch

    stored = {names.normal(name): name for name in found.shapes}
    shapes = {names.normal(name): shape for name, shape in found.shapes.items()}
    moves, problems = _compare(weights, shapes, names)
    if len(stored) != len(found.shapes):
        problems.append(f"some tensors occur twice, with and without the prefix `{names.prefix}`")
    problems += [] if problems else _not_floating(found, stored, moves)
    problems += [] if problems else _different_copies(found, stored, names, moves)
    if problems:
        raise CheckpointError(found.place, problems)
    with found.opened() as read, torch.no_grad():
        for move in moves:
            tensors = [read(stored[name]) for name in move.theirs]
            if _leaves_pages(move, tensors[0], device, dtype):
                pairs = zip(move.theirs, tensors, strict=True)
                tensors = [found.unmapped(stored[name], tensor) for name, tensor in pairs]
            whole = move.layout.gathered(tensors, torch.stack)
            del tensors  # free each after it is copied
            parts = move.layout.split(whole, move.shapes, names.values)
            made = [part.to(device=device, dtype=dtype).contiguous() for part in parts]
            del whole, parts
            yield from zip(move.ours, made, strict=True)


def _leaves_pages(
    move: Move, tensor: Tensor, device: torch.device | None, dtype: torch.dtype | None
) -> bool:
    """Whether a tensor is copied, and no longer refers to memory-mapped pages."""
    turned = move.layout.transposed and tensor.ndim > 1
    moved = device is not None and device != tensor.device
    return turned or moved or move.layout.stacked or dtype not in (None, tensor.dtype)


def _not_floating(found: Weights, stored: Mapping[str, str], moves: Sequence[Move]) -> list[str]:
    """Tensors that are used but are not floating-point."""
    read = dict.fromkeys(name for move in moves for name in move.theirs)
    problems = [not_floating(stored[n], found.dtypes.get(stored[n], "F32")) for n in read]
    return [problem for problem in problems if problem]


def _different_copies(
    found: Weights, stored: Mapping[str, str], names: Names | LogicalNames, moves: Sequence[Move]
) -> list[str]:
    read = {name for move in moves for name in move.theirs}
    return [
        f"{copy} should be tied to {source}, but differs from it"
        for copy, source in names.copies.items()
        if copy in stored
        and copy not in read
        and source in stored
        and found.differ(stored[copy], stored[source])
    ]


def _compare(
    weights: Mapping[str, Shape], tensors: Mapping[str, Shape], names: Names | LogicalNames
) -> tuple[list[Move], list[str]]:
    """Where each weight is stored, and descriptions of all mismatches."""
    moves, problems, read = [], [], set[str]()
    for move in names.moves(weights):
        if isinstance(move, str):
            problems.append(
                f"the weight {move} {weights[move]} has no counterpart in checkpoints of this type"
            )
            continue
        move.theirs = [names.stored_as(name, tensors) for name in move.theirs]
        joined = " and ".join(move.ours)
        wanted = move.layout.stored_shape(move.shapes)
        each = wanted[1:] if move.layout.stacked else wanted
        missing = [name for name in move.theirs if name not in tensors]
        problems += [f"missing: {name} {each} (in the spec: {joined})" for name in missing]
        for name in move.theirs if not missing else ():
            if not move.layout.fits([tensors[name]], move.shapes):
                problems.append(
                    f"shape of {name}: {tensors[name]} in the file, but {each} in the model "
                    f"({joined})"
                )
        read.update(move.theirs)
        moves.append(move)
    for theirs in sorted(tensors.keys() - read - names.copies.keys() - names.instead.keys()):
        if names.is_unused(theirs):
            continue
        ours = names.ours(theirs)
        known = f"which corresponds to {ours}" if ours else "which is unknown"
        problems.append(f"unexpected: {theirs} {tensors[theirs]}, {known}")
    return moves, problems
