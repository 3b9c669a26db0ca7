"""Read a Hugging Face checkpoint by a table of names."""

from __future__ import annotations

import json
import math
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn


@dataclass(frozen=True)
class Stored:
    """How a tensor of a checkpoint holds weights of the model.

    ours        names of the weights or their modules, `{}` is the layer; several are one tensor
    beside      names of more tensors, which a weight stacks behind the first
    numbered    the weight stacks tensors, which `{e}` numbers
    transposed  the last two axes are swapped
    axis        along which several weights are joined
    groups      … in this many groups, each with an equal part of every weight
    halves      in this many groups of rows, the two halves are swapped
    factor      the values are multiplied by this
    reshaped    the tensor has another shape with the same number of elements
    """

    ours: tuple[str, ...]
    beside: tuple[str, ...] = ()
    numbered: bool = False
    transposed: bool = False
    axis: int = 0
    groups: int = 1
    halves: int = 0
    factor: float = 1.0
    reshaped: bool = False

    def shape(self, shapes: list[torch.Size]) -> list[int]:
        """The shape of what holds weights of these shapes, with the stacked axis."""
        whole = list(shapes[0])
        if len(shapes) > 1:
            whole[self.axis] = sum(shape[self.axis] for shape in shapes)
        if self.transposed and len(whole) > 1:
            whole[-2:] = whole[-1], whole[-2]
        return whole

    def weights(self, tensors: list[Tensor], shapes: list[torch.Size]) -> list[Tensor]:
        """The weights of these shapes out of the checkpoint's tensors."""
        whole = torch.stack(tensors) if self.is_stacked else tensors[0]
        whole = whole.reshape(self.shape(shapes))
        if self.transposed and whole.dim() > 1:
            whole = whole.transpose(-1, -2)
        if self.halves:
            whole = whole.reshape(self.halves, 2, -1)[:, [1, 0]].reshape(whole.shape)
        if self.factor != 1:
            whole = whole * self.factor
        if len(shapes) == 1:
            return [whole]
        sizes = [shape[self.axis] // self.groups for shape in shapes]
        grouped = [*whole.shape[: self.axis], self.groups, -1, *whole.shape[self.axis + 1 :]]
        parts = torch.split(whole.reshape(grouped), sizes, dim=self.axis + 1)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    @property
    def is_stacked(self) -> bool:
        """Is the first axis of the weight the number of a tensor?"""
        return self.numbered or bool(self.beside)


@dataclass(frozen=True)
class Checkpoint:
    """The names of a checkpoint.

    rows     a tensor, or a module of tensors, to the weight or module of the model
    prefix   what may stand before each name of a tensor
    renamed  endings of names in older files, and what they are today
    instead  tensors that are read in place of others, where a file has them
    copies   tensors that must equal another one, to which they are tied
    unread   a pattern for names of tensors that are not read
    """

    rows: dict[str, str | Stored]
    prefix: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    unread: str = ""

    def normal(self, name: str) -> str:
        """A name of a file as the rows have it."""
        name = name.removeprefix(self.prefix)
        for old, new in self.renamed:
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def moves(self, target: dict[str, Tensor]) -> list[tuple[list[str], list[str], Stored]]:
        """For each weight of a model, or several that are one tensor: ours, theirs, and how."""
        found, done = [], set[str]()
        for theirs, value in self.rows.items():
            row = Stored((value,)) if isinstance(value, str) else value
            for layer in range(len(target) if "{}" in row.ours[0] else 1):
                for leaf in ("", ".weight", ".bias"):
                    ours = [name.format(layer) + leaf for name in row.ours]
                    ours = [name for name in ours if name in target and name not in done]
                    if ours:
                        done.update(ours)
                        count = len(target[ours[0]]) if row.numbered else 1
                        names = [theirs.replace("{e}", str(e)) for e in range(count)]
                        names = [name.format(layer) + leaf for name in (*names, *row.beside)]
                        found.append((ours, names, row))
        return found


def open_tensors(folder: Path, files: ExitStack) -> dict[str, tuple[Any, str]]:
    """The tensors of a Hugging Face folder by their names: an open safetensors file, own name."""
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    stored = {}
    for name in names:
        file = files.enter_context(safe_open(folder / name, framework="pt"))
        keys = file.keys()  # it is no dict, and cannot be looped over
        stored.update({CHECKPOINT.normal(key): (file, key) for key in keys})
    return stored


def stored_tensor(stored: dict[str, tuple[Any, str]], name: str) -> Tensor:
    """Read one tensor."""
    file, own = stored[name]
    found: Tensor = file.get_tensor(own)
    return found


def unfit_rows(
    target: dict[str, Tensor],
    stored: dict[str, tuple[Any, str]],
    moves: list[tuple[list[str], list[str], Stored]],
) -> list[str]:
    """Tensors that are missing or of another shape."""
    problems = []
    for ours, theirs, row in moves:
        wanted = row.shape([target[name].shape for name in ours])[row.is_stacked :]
        for name in theirs:
            if name not in stored:
                problems.append(f"{name} is missing")
                continue
            file, own = stored[name]
            shape = file.get_slice(own).get_shape()
            if row.reshaped and math.prod(shape) == math.prod(wanted):
                continue
            if shape != wanted:
                problems.append(f"{name} has the shape {shape}, not {wanted}")
    return problems


def unfit_rest(stored: dict[str, tuple[Any, str]], read: set[str]) -> list[str]:
    """Tensors that are not read and should be, or that differ from those they are tied to."""
    problems = []
    copies = dict(CHECKPOINT.copies)
    for name in sorted(stored.keys() - read - {old for old, _ in CHECKPOINT.instead}):
        source = copies.get(name)
        if source is None and re.fullmatch(CHECKPOINT.unread, name) is None:
            problems.append(f"{name} is unexpected")
        if source in stored:
            tied = stored_tensor(stored, source)
            if not torch.equal(stored_tensor(stored, name), tied):
                problems.append(f"{name} is not equal to {source}")
    return problems


def load_checkpoint(model: nn.Module, folder: str | Path) -> nn.Module:
    """Read the weights of a Hugging Face folder into the model; returns the model.

    Raises ValueError, before anything is changed, for tensors that are missing, unexpected, of
    another shape, or not equal to those that they are tied to.
    """
    target = model.state_dict()
    with ExitStack() as files, torch.no_grad():
        stored = open_tensors(Path(folder), files)
        instead = {old: new for old, new in CHECKPOINT.instead if new in stored}
        moves = [
            (ours, [instead.get(name, name) for name in theirs], row)
            for ours, theirs, row in CHECKPOINT.moves(target)
        ]
        read = {name for _, theirs, _ in moves for name in theirs}
        unknown = target.keys() - {name for ours, _, _ in moves for name in ours}
        problems = [f"{name} has no name in the table" for name in sorted(unknown)]
        problems += [*unfit_rows(target, stored, moves), *unfit_rest(stored, read)]
        if problems:
            raise ValueError("\n  ".join([f"{folder} does not fit the model:", *problems[:20]]))
        for ours, theirs, row in moves:
            shapes = [target[name].shape for name in ours]
            parts = row.weights([stored_tensor(stored, name) for name in theirs], shapes)
            for name, part in zip(ours, parts, strict=True):
                target[name].copy_(part)
    return model


CHECKPOINT = Checkpoint(rows={})
