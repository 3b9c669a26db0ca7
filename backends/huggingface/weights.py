"""The tensors of a checkpoint become the weights of a compiled model, name by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import CheckpointError
from .family import Family, Head
from .folder import Folder

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


class Names:
    """The table of a family and its head, read in both directions."""

    def __init__(self, family: Family, head: Head | None) -> None:
        self.family = family
        self.to_theirs = {**family.names, **(head.names if head else {})}
        self.to_ours = {theirs: ours for ours, theirs in self.to_theirs.items()}
        self.copies = dict(head.copies) if head else {}
        unused = (*family.unused, *(head.unused if head else ()))
        self._unused = re.compile("|".join(f"(?:{pattern})" for pattern in unused) + r"\Z")

    def theirs(self, ours: str) -> str | None:
        """The checkpoint's name of our weight."""
        return _renamed(ours, self.to_theirs)

    def ours(self, theirs: str) -> str | None:
        """Our name of a tensor, or what it would be in a model that had it."""
        return _renamed(theirs, self.to_ours)

    def is_unused(self, theirs: str) -> bool:
        """Whether a file may hold this tensor, which the model does not read."""
        return self._unused.match(theirs) is not None

    def normal(self, stored: str) -> str:
        """The name as the table writes it: no prefix, and today's endings."""
        name = stored.removeprefix(self.family.prefix)
        for old, new in self.family.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    """A row names a weight, or the module that holds it; `{}` is the number of a layer."""
    numbers = _NUMBER.findall(name)
    pattern = _NUMBER.sub("{}", name, count=1)
    module, _, leaf = pattern.rpartition(".")
    if pattern in table:
        return table[pattern].format(*numbers)
    if module in table:
        return f"{table[module].format(*numbers)}.{leaf}"
    return None


def load_checkpoint(model: nn.Module, folder: Folder, names: Names) -> None:
    """Copy every tensor to its weight, one at a time.

    Raises CheckpointError with every tensor that is missing, unexpected or of another shape, by
    both names, before anything is copied.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    path = folder.weights
    stored = {names.normal(name): name for name in folder.shapes or ()}
    shapes = {names.normal(name): shape for name, shape in (folder.shapes or {}).items()}
    weights = model.state_dict()
    problems = _compare({n: tuple(w.shape) for n, w in weights.items()}, shapes, names)
    if len(stored) != len(folder.shapes or ()):
        problems.append(f"tensors stand twice in it, with and without `{names.family.prefix}`")
    if problems:
        raise CheckpointError(path, problems)
    try:
        with safe_open(path, framework="pt") as file, torch.no_grad():
            for copy, source in names.copies.items():
                if copy in stored and not torch.equal(
                    file.get_tensor(stored[copy]), file.get_tensor(stored[source])
                ):
                    problems.append(f"{copy} should be tied to {source}, and differs from it")
            if problems:
                raise CheckpointError(path, problems)
            for ours, weight in weights.items():
                weight.copy_(file.get_tensor(stored[str(names.theirs(ours))]))
    except SafetensorError as error:
        raise CheckpointError(path, [f"it cannot be read: {error}"]) from None


def _compare(weights: Mapping[str, Shape], tensors: Mapping[str, Shape], names: Names) -> list[str]:
    """Every difference, in words."""
    problems, read = [], set()
    for ours, shape in weights.items():
        theirs = names.theirs(ours)
        if theirs is None:
            problems.append(f"the weight {ours} {shape} has no name in such a file")
        elif theirs not in tensors:
            problems.append(f"missing: {theirs} {shape}, which is {ours}")
        elif tensors[theirs] != shape:
            problems.append(
                f"shape of {theirs}: {tensors[theirs]} in the file, {shape} as {ours} in the model"
            )
        read.add(theirs)
    for theirs in sorted(tensors.keys() - read - names.copies.keys()):
        if names.is_unused(theirs):
            continue
        ours_name = names.ours(theirs)
        known = f"would be {ours_name}" if ours_name else "no such tensor is known"
        problems.append(f"unexpected: {theirs} {tensors[theirs]}, {known}")
    return problems
