"""The tensors of a checkpoint become the weights of a compiled model, name by name."""

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
    """Every weight by its logical name, one tensor of the checkpoint at a time.

    weights: the names and shapes of the model
    device, dtype: None leaves a tensor as it is stored, and its pages those of the file

    Raises CheckpointError with every tensor that is missing, unexpected or of another shape, by
    both names, before anything is read.
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
            del tensors  # each goes when it has been copied
            parts = move.layout.split(whole, move.shapes, names.values)
            made = [part.to(device=device, dtype=dtype).contiguous() for part in parts]
            del whole, parts
            yield from zip(move.ours, made, strict=True)


def _leaves_pages(
    move: Move, tensor: Tensor, device: torch.device | None, dtype: torch.dtype | None
) -> bool:
    """Whether what becomes of a tensor is not the pages of its file."""
    turned = move.layout.transposed and tensor.ndim > 1
    moved = device is not None and device != tensor.device
    return turned or moved or move.layout.stacked or dtype not in (None, tensor.dtype)


def _not_floating(found: Weights, stored: Mapping[str, str], moves: Sequence[Move]) -> list[str]:
    """Tensors that are read and have a dtype that weights cannot have."""
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
    """Where every weight is, and every difference, in words."""
    moves, problems, read = [], [], set[str]()
    for move in names.moves(weights):
        if isinstance(move, str):
            problems.append(
                f"the weight {move} {weights[move]} has no counterpart in such a checkpoint"
            )
            continue
        move.theirs = [names.stored_as(name, tensors) for name in move.theirs]
        said = " and ".join(move.ours)
        wanted = move.layout.stored_shape(move.shapes)
        each = wanted[1:] if move.layout.stacked else wanted
        missing = [name for name in move.theirs if name not in tensors]
        problems += [f"missing: {name} {each} (in the spec: {said})" for name in missing]
        for name in move.theirs if not missing else ():
            if not move.layout.fits([tensors[name]], move.shapes):
                problems.append(
                    f"shape of {name}: {tensors[name]} in the file, but {each} in the model "
                    f"({said})"
                )
        read.update(move.theirs)
        moves.append(move)
    for theirs in sorted(tensors.keys() - read - names.copies.keys() - names.instead.keys()):
        if names.is_unused(theirs):
            continue
        ours = names.ours(theirs)
        known = f"which would be {ours}" if ours else "which is unknown"
        problems.append(f"unexpected: {theirs} {tensors[theirs]}, {known}")
    return moves, problems
