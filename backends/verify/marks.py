"""Masks, positions, documents and prefixes of stacks that read vectors or images, not token ids."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...compiler.facts import InputFact, PartFact
from ...compiler.graph import ModuleGraph, Op
from ..pytorch.entry import owner_of

Data = dict[str, NDArray[Any]]

ROLES = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")


class Inputs(Protocol):
    """The inputs of a model, as tests make them; see `Arguments`."""

    @property
    def graph(self) -> ModuleGraph: ...
    def known(self) -> dict[str, Op]: ...
    def length_of(self, stack: str) -> int: ...
    def of_part(self, part: PartFact) -> int: ...
    def draw(self, name: str, shape: tuple[int, ...], entries: int) -> NDArray[Any]: ...


class Marks:
    """Builds the integer arguments that say more about vectors.

    prefixes: those of the arguments of token ids, which are made elsewhere
    lengths: number of vectors that each argument describes
    """

    def __init__(self, arguments: Inputs, prefixes: list[str]) -> None:
        self.arguments = arguments
        known = {f"{prefix}{role}" for prefix in prefixes for role in ROLES}
        self.lengths = {
            name: self._length(name)
            for name in arguments.known()
            if name.endswith(ROLES) and name not in known
        }

    def _length(self, name: str) -> int:
        """The number of vectors of its stack, or of one of the inputs joined there."""
        graph = self.arguments.graph
        stack = owner_of(graph, name)
        shape = graph.values[self.arguments.known()[name].outputs[0]].shape
        letter, _, less = shape[1].label.partition("-") if len(shape) > 1 else ("", "", "")
        for part in graph.parts.get(stack, ()):
            if part.letter == letter:
                return self.arguments.of_part(part) - int(float(less or 0))
        return self.arguments.length_of(stack) - int(float(less or 0))

    def masks(self) -> list[tuple[str, int]]:
        """The masks of padding, with their lengths."""
        return [item for item in self.lengths.items() if item[0].endswith("attention_mask")]

    def source(self, name: str) -> InputFact | None:
        """The features of which an argument has one value per vector; None for other inputs."""
        graph = self.arguments.graph
        stack = owner_of(graph, name)
        fact = graph.inputs[stack]
        alone = len(graph.parts.get(stack, ())) < 2 and not fact.convolutions
        return fact if alone and fact.kind == "features" else None

    def padded(self, side: str) -> Data:
        """The last third of the second row is padding, or the first; positions skip padding."""
        found: Data = {}
        for name, length in self.lengths.items():
            real = np.ones((2, length), np.int64)
            gap = length // 3
            real[1, slice(length - gap, None) if side == "right" else slice(0, gap)] = 0
            if name.endswith("attention_mask"):
                found[name] = real
            elif name.endswith("position_ids"):
                found[name] = np.maximum(np.cumsum(real, axis=1) - 1, 0)
            elif name.endswith("global_mask"):
                found[name] = self._drawn(name, real.shape) * real
        return found

    def everything(self) -> Data:
        """Documents, a prefix, global tokens and positions within documents; no padding."""
        found: Data = {}
        for name, length in self.lengths.items():
            index = np.arange(length)
            cuts = ((length // 3, length // 2), (length // 2, length - 2))
            document = np.stack([np.searchsorted(ends, index, "right") for ends in cuts])
            begun = np.stack([np.searchsorted(row, row) for row in document])
            made: dict[str, NDArray[Any]] = {
                "attention_mask": np.ones((2, length), np.int64),
                "position_ids": index - begun,
                "document_ids": document,
                "prefix_length": np.array([length // 2, 1]),
                "global_mask": self._drawn(name, document.shape),
            }
            found[name] = next(made[role] for role in ROLES if name.endswith(role))
        return found

    def _drawn(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.where(self.arguments.draw(name, shape, 4) == 0, 1, 0)
