"""Load a Hugging Face checkpoint with a table of weight names."""

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
    """How the checkpoint stores one or several weights of the model.

    ours        names of the weights or modules, `{}` is the layer; several are stored as one tensor
    beside      more tensors of the checkpoint, which the weight stacks after the first
    numbered    the weight stacks the tensors whose names have 0, 1, … in place of `{e}`
    transposed  the checkpoint has the last two axes swapped
    axis        the axis along which several weights are concatenated
    groups      number of groups along this axis; each contains an equal part of every weight
    halves      number of groups of rows in which the first and the second half are swapped
    factor      multiply the stored values by this
    reshaped    the stored shape may differ, with the same number of elements
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
        """The stored shape of weights with these shapes, before stacked tensors are separated."""
        whole = list(shapes[0])
        if len(shapes) > 1:
            whole[self.axis] = sum(shape[self.axis] for shape in shapes)
        if self.transposed and len(whole) > 1:
            whole[-2:] = whole[-1], whole[-2]
        return whole

    def weights(self, tensors: list[Tensor], shapes: list[torch.Size]) -> list[Tensor]:
        """Convert tensors of the checkpoint to weights with these shapes."""
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
        """Whether the weight is a stack of several tensors of the checkpoint."""
        return self.numbered or bool(self.beside)


@dataclass(frozen=True)
class Checkpoint:
    """The names of tensors in a checkpoint.

    rows     name of a tensor or module in the checkpoint -> that of the weight or module here
    prefix   optional prefix of all names in the checkpoint
    renamed  (old, new) suffixes of names, for older checkpoints
    instead  (name, other): read the tensor `other` instead, if the checkpoint has it
    copies   (name, other): the checkpoint may store the tied weight `other` under `name`, too
    unread   regular expression for names of tensors that are ignored
    """

    rows: dict[str, str | Stored]
    prefix: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    unread: str = ""

    def normal(self, name: str) -> str:
        """The name of a tensor as in `rows`: without prefix, with new suffix."""
        name = name.removeprefix(self.prefix)
        for old, new in self.renamed:
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def moves(self, target: dict[str, Tensor]) -> list[tuple[list[str], list[str], Stored]]:
        """The names of weights here, those of their tensors in the checkpoint, and the row."""
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
    """The tensors of a folder: name -> the open safetensors file, and the name in this file.

    Names are without the prefixes of `torch.compile` and data parallelism, if all names have them.
    """
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    stored = {}
    for name in names:
        file = files.enter_context(safe_open(folder / name, framework="pt"))
        keys = file.keys()  # a safetensors file is not iterable
        stored.update({key: (file, key) for key in keys})
    for wrapper in ("_orig_mod.", "module.") * 2:
        if all(key.startswith(wrapper) for key in stored):
            stored = {key.removeprefix(wrapper): place for key, place in stored.items()}
    return {CHECKPOINT.normal(key): place for key, place in stored.items()}


def stored_tensor(stored: dict[str, tuple[Any, str]], name: str) -> Tensor:
    """Read one tensor from its file."""
    file, own = stored[name]
    found: Tensor = file.get_tensor(own)
    return found


def unfit_rows(
    target: dict[str, Tensor],
    stored: dict[str, tuple[Any, str]],
    moves: list[tuple[list[str], list[str], Stored]],
) -> list[str]:
    """Messages about tensors that are missing or have the wrong shape."""
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
                problems.append(f"{name} has shape {shape}, expected {wanted}")
    return problems


def unfit_rest(stored: dict[str, tuple[Any, str]], read: set[str]) -> list[str]:
    """Messages about unexpected tensors, and copies that differ from the tied weight."""
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
    """Load the safetensors of a Hugging Face folder into the model; return the model.

    Raises ValueError, before any weight is changed, if tensors are missing, unexpected, of another
    shape, or differ from the weight to which they are tied.
    """
    target = model.state_dict()
    with ExitStack() as files, torch.no_grad():
        stored = open_tensors(Path(folder), files)
        moves = CHECKPOINT.moves(target)
        listed = {name for _, theirs, _ in moves for name in theirs}
        instead = {
            source: copy
            for copy, source in CHECKPOINT.copies
            if copy in stored and copy not in listed and source not in stored
        }
        instead |= {old: new for old, new in CHECKPOINT.instead if new in stored}
        moves = [(ours, [instead.get(n, n) for n in theirs], row) for ours, theirs, row in moves]
        read = {name for _, theirs, _ in moves for name in theirs}
        unknown = target.keys() - {name for ours, _, _ in moves for name in ours}
        problems = [f"{name} is not in the table of names" for name in sorted(unknown)]
        problems += [*unfit_rows(target, stored, moves), *unfit_rest(stored, read)]
        if problems:
            raise ValueError("\n  ".join([f"{folder} does not match the model:", *problems[:20]]))
        for ours, theirs, row in moves:
            shapes = [target[name].shape for name in ours]
            parts = row.weights([stored_tensor(stored, name) for name in theirs], shapes)
            for name, part in zip(ours, parts, strict=True):
                target[name].copy_(part)
    return model


CHECKPOINT = Checkpoint(rows={})
