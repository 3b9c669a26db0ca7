"""How a checkpoint stores our weights: unchanged, fused, transposed, stacked.

Each layout works in both directions, for import and export. It works with any tensor library that
has `reshape`, `swapaxes` and slices; torch is not imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .values import Read, Values

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How one or several of our weights are stored in the checkpoint.

    theirs: name of the tensor; `{}` is the layer index, `{e}` the index of one of several tensors
        that our weight stacks (experts, heads)
    transposed: the last two axes are swapped
    groups: several weights are fused along `axis`: concatenated (None), or interleaved in this many
        groups (a number, or a function of the config's values)
    axis: the axis along which our weights are fused
    stored: shape in the checkpoint, if it differs, as for `reshape`
    beside: further tensors that our weight stacks after `theirs`
    halves: in each of this many groups of rows, the two halves are swapped
    dealt: rows are stored in two runs of this many groups; ours take a group of each in turn
    factor: factor of the weight, where the library multiplies the layer's output instead
    """

    theirs: str
    transposed: bool = False
    groups: int | Read | None = None
    axis: int = 0
    stored: Callable[[Values], Shape] | None = None
    beside: tuple[str, ...] = ()
    halves: Read | None = None
    dealt: Read | None = None
    factor: Read | None = None

    @property
    def stacked(self) -> bool:
        """Whether our weight stacks several tensors of the checkpoint."""
        return "{e}" in self.theirs or bool(self.beside)

    def names(self, layer: Sequence[str], leaf: str, count: int) -> list[str]:
        """Names of the tensors, for the indices in our name and its last part."""
        each = range(count) if "{e}" in self.theirs else range(1)
        names = [self.theirs.replace("{e}", str(e)) for e in each]
        return [name.format(*layer) + leaf for name in (*names, *self.beside)]

    def stored_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Shape of the (stacked) tensor that stores weights of these shapes."""
        whole = list(shapes[0])
        if len(shapes) > 1:
            whole[self.axis] = sum(shape[self.axis] for shape in shapes)
        if self.transposed and len(whole) > 1:
            whole[-1], whole[-2] = whole[-2], whole[-1]
        return tuple(whole)

    def fits(self, stored: Sequence[Shape], shapes: Sequence[Shape]) -> bool:
        """Whether tensors of the shapes `stored` can contain weights of these shapes."""
        wanted = self.stored_shape(shapes)
        each = wanted[1:] if self.stacked else wanted
        if self.stored is not None:
            return all(math.prod(shape) == math.prod(each) for shape in stored)
        return all(shape == each for shape in stored)

    def gathered(self, tensors: Sequence[Any], stack: Callable[[list[Any]], Any]) -> Any:
        """Stack the tensors of `names`."""
        return stack(list(tensors)) if self.stacked else tensors[0]

    def parted(self, whole: Any) -> list[Any]:
        """Unstack into the tensors of `names`."""
        return list(whole.unbind(0)) if self.stacked else [whole]

    def split(self, tensor: Any, shapes: Sequence[Shape], values: Values) -> list[Any]:
        """Our weights, from the tensor of the checkpoint."""
        tensor = tensor.reshape(self.stored_shape(shapes))
        if self.transposed and tensor.ndim > 1:
            tensor = tensor.swapaxes(-1, -2)
        if self.halves is not None:
            tensor = _swapped(tensor, self.halves(values))
        if self.dealt is not None:
            tensor = _turned(tensor, 2, self.dealt(values))
        if self.factor is not None:
            tensor = tensor * self.factor(values)
        if len(shapes) == 1:
            return [tensor]
        axis, groups = self.axis, self.group_count(values)
        sizes = [shape[axis] // groups for shape in shapes]
        before, after = tensor.shape[:axis], tensor.shape[axis + 1 :]
        grouped = tensor.reshape(*before, groups, sum(sizes), *after)
        parts, start = [], 0
        for size, shape in zip(sizes, shapes, strict=True):
            index = (*[slice(None)] * (axis + 1), slice(start, start + size))
            parts.append(grouped[index].reshape(shape))
            start += size
        return parts

    def join(self, weights: Sequence[Any], values: Values, concatenate: Any) -> Any:
        """The tensor of the checkpoint, from our weights: the inverse of `split`."""
        shapes = [tuple(weight.shape) for weight in weights]
        whole = weights[0]
        if len(weights) > 1:
            axis, groups = self.axis, self.group_count(values)
            parts = [
                weight.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
                for weight, shape in zip(weights, shapes, strict=True)
            ]
            whole = concatenate(parts, axis + 1)
            total = sum(shape[axis] for shape in shapes)
            whole = whole.reshape(*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        if self.halves is not None:
            whole = _swapped(whole, self.halves(values))
        if self.dealt is not None:
            whole = _turned(whole, self.dealt(values), 2)
        if self.factor is not None:
            whole = whole / self.factor(values)
        if self.transposed and whole.ndim > 1:
            whole = whole.swapaxes(-1, -2)
        if self.stored is None:
            return whole
        rows = whole.shape[:1] if self.stacked else ()
        return whole.reshape((*rows, *self.stored(values)))

    def group_count(self, values: Values) -> int:
        """Number of groups, which may depend on config.json."""
        groups = self.groups(values) if callable(self.groups) else self.groups
        return 1 if groups is None else int(groups)


def _swapped(tensor: Any, groups: int) -> Any:
    """Swap the two halves of each group of rows."""
    parts = tensor.reshape(groups, 2, -1)
    return parts[:, [1, 0]].reshape(tensor.shape)


def _turned(tensor: Any, runs: int, groups: int) -> Any:
    """Runs of groups of rows, as groups of one from each run."""
    return tensor.reshape(runs, groups, -1).swapaxes(0, 1).reshape(tensor.shape)


@dataclass(frozen=True)
class WeightNorm(Layout):
    """A convolution stored as directions and norms, one per kernel index (weight normalisation;
    Salimans and Kingma, 2016, arXiv:1602.07868).
    """

    def names(self, layer: Sequence[str], leaf: str, count: int) -> list[str]:
        return [f"{self.theirs.format(*layer)}.original{number}{leaf}" for number in (0, 1)]

    def fits(self, stored: Sequence[Shape], shapes: Sequence[Shape]) -> bool:
        (whole,) = shapes
        return all(shape in (whole, (1, 1, whole[-1])) for shape in stored)

    def gathered(self, tensors: Sequence[Any], stack: Callable[[list[Any]], Any]) -> Any:
        lengths, directions = tensors
        return directions * (lengths / _lengths(directions))

    def parted(self, whole: Any) -> list[Any]:
        return [_lengths(whole), whole]


def _lengths(directions: Any) -> Any:
    """Norm at each kernel index: (D, G, K) to (1, 1, K)."""
    places = directions.shape[-1]
    lengths = (directions.reshape(-1, places) ** 2).sum(0) ** 0.5
    return lengths.reshape(1, 1, places)


@dataclass(frozen=True)
class Averaged(Layout):
    """A linear layer on concatenated inputs, equal to several layers whose outputs are averaged."""

    def names(self, layer: Sequence[str], leaf: str, count: int) -> list[str]:
        return [name.format(*layer) + leaf for name in (self.theirs, *self.beside)]

    @property
    def stacked(self) -> bool:
        return False

    def fits(self, stored: Sequence[Shape], shapes: Sequence[Shape]) -> bool:
        (whole,) = shapes
        count = len(self.beside) + 1
        return all(shape in (whole, (whole[0], whole[-1] // count)) for shape in stored)

    def gathered(self, tensors: Sequence[Any], stack: Callable[[list[Any]], Any]) -> Any:
        whole = stack(list(tensors))
        if whole.ndim == 2:
            return whole.mean(0)
        return whole.swapaxes(0, 1).reshape(whole.shape[1], -1) / len(tensors)

    def parted(self, whole: Any) -> list[Any]:
        count = len(self.beside) + 1
        if whole.ndim == 1:
            return [whole] * count
        return list((count * whole).reshape(whole.shape[0], count, -1).swapaxes(0, 1))
