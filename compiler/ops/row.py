"""The type of a row of the op table, and common shape rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...records import record
from ..axes import ONE, Shape
from ..cost import Poly
from ..graph import Initial, Op, Value, Weight
from .saved import Saves, Stores, View, fresh, nothing

Attrs = dict[str, Any]
ONES, ZEROS, NORMAL = Initial("ones"), Initial("zeros"), Initial("normal")


@record(frozen=True)
class Inputs:
    """The inputs of an op by slot, in order."""

    slots: tuple[str, ...]
    values: tuple[Value, ...]

    @classmethod
    def of(cls, slots: tuple[str, ...], ids: Iterable[str], values: Mapping[str, Value]) -> Inputs:
        """The values with these ids; "" is absent."""
        given = [(slot, values[one]) for slot, one in zip(slots, ids, strict=True) if one]
        return cls(tuple(slot for slot, _ in given), tuple(value for _, value in given))

    def __getitem__(self, slot: str) -> Value:
        """The value in a slot. Raises ValueError if it is absent."""
        return self.values[self.slots.index(slot)]

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    @property
    def first(self) -> Value:
        return next(iter(self.values))


def same(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [inputs.first.shape]


def declared(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    """The shape set by lowering, for ops whose result does not follow from their inputs' shapes."""
    return [attrs["shape"]]


def last(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["x"].shape[:-1], attrs["out_dim"])]


def broadcast(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    """NumPy broadcasting. Raises ValueError for two sizes of one axis."""
    length = max(len(value.shape) for value in inputs)
    shapes = [(ONE,) * (length - len(value.shape)) + value.shape for value in inputs]
    columns = [[d for d in column if d.label != "1"] for column in zip(*shapes, strict=True)]
    for column in columns:
        if len({int(d.size) for d in column if d.size is not None}) > 1:
            raise ValueError(f"cannot broadcast an axis of {' and '.join(map(str, column))}")
    return [tuple(next(iter(column), ONE) for column in columns)]


def none(attrs: Attrs) -> tuple[Weight, ...]:
    return ()


def no_flops(op: Op, values: dict[str, Value]) -> Poly:
    return Poly()


@dataclass(frozen=True, eq=False)
class Row:
    """One kind of op.

    slots: names of its inputs, in order; `mask?` is optional (""), `parts*` (only last) has one or
        more values
    attrs: names of its attributes; `score?` is optional
    saves: tensors saved for the backward pass, see `saved`
    view: inputs whose storage the results share; empty if they have their own
    stores: kind and number of stored elements, if they do not follow from shape and dtype
    uses_layer: whether the result depends on the index of the layer
    constant: whether the result depends on the shapes of the inputs alone, and has no gradient
    plugin: the file or package of a plug-in that adds it; "" for an op of Modelwright
    """

    formula: str
    slots: tuple[str, ...]
    shape: Callable[[Inputs, Attrs], list[Shape]] = same
    weights: Callable[[Attrs], tuple[Weight, ...]] = none
    flops: Callable[[Op, dict[str, Value]], Poly] = no_flops
    dtype: str = ""  # "": that of the first input; one word per result, or one for all
    part: str = "other"  # part of the report, unless its scope determines it
    attrs: tuple[str, ...] = ()
    saves: Saves = nothing
    view: View = fresh
    stores: Stores | None = None
    uses_layer: bool = False
    constant: bool = False
    plugin: str = ""

    def named(self, count: int) -> tuple[str, ...]:
        """The slot of each of `count` inputs. Raises ValueError for a wrong number."""
        return _named(self.slots, count)

    def filled(self, inputs: Iterable[str]) -> tuple[str, ...]:
        """The inputs, with "" for omitted ones at the end.

        Raises ValueError for a wrong number, or if a required one is absent.
        """
        given = tuple(inputs)
        whole = (*given, *[""] * (len(self.slots) - len(given)))
        names = self.named(len(whole))
        for slot, name, value in zip(self.slots, names, whole, strict=False):
            if not value and not slot.endswith("?"):
                raise ValueError(f"nothing is given for `{name}`")
        return whole


@cache
def _named(slots: tuple[str, ...], count: int) -> tuple[str, ...]:
    least = sum(not slot.endswith("?") for slot in slots)
    several = slots[-1:] if "".join(slots[-1:]).endswith("*") else ()
    if count < least or (count > len(slots) and not several):
        raise ValueError(f"{count} inputs for the slots ({', '.join(slots)})")
    names = (*slots, *several * (count - len(slots)))
    return tuple(name.rstrip("?*") for name in names[:count])
