"""What the function of one op is given: its inputs, its numbers, its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.ops import OPS
from ...compiler.sizes import number

Array = NDArray[Any]


@dataclass(frozen=True)
class Call:
    """One op, about to be computed.

    inputs   in the order of the slots of `compiler/ops`; None for an optional one that is absent,
             and those at the end may be left out
    attrs    the op's attributes as the graph holds them; `value` reads one as a plain number
    weights  by their names on the op: `weight`, `bias`, or "" for one that stands alone
    batch    how many sequences there are, and `tokens` how many tokens each has, in the stack that
             the op names in its attribute `stack`; 0 where it names none
    layer    the number of the layer that the op runs in, from 0
    """

    kind: str
    inputs: tuple[Array | None, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Array] = field(default_factory=dict)
    batch: int = 0
    tokens: int = 0
    layer: int = 0

    def given(self, slot: str) -> Array:
        """An input that must be there. Raises ValueError where it is not."""
        array = self.optional(slot)
        if array is None:
            raise ValueError(f"{self.kind}: `{slot}` is missing")
        return array

    def optional(self, slot: str) -> Array | None:
        """An input, None where it is absent. Raises LookupError for a slot that there is not."""
        found = self._held(slot)
        return found[0] if found else None

    def several(self, slot: str) -> tuple[Array, ...]:
        """All inputs in a slot for several; none of them is absent."""
        found = tuple(array for array in self._held(slot) if array is not None)
        if not found or len(found) < len(self._held(slot)):
            raise ValueError(f"{self.kind}: one of `{slot}` is missing")
        return found

    def _held(self, slot: str) -> tuple[Array | None, ...]:
        slots = OPS[self.kind].slots
        if slot not in [name.rstrip("?*") for name in slots]:
            raise LookupError(f"{self.kind} has no slot `{slot}`; its slots: {', '.join(slots)}")
        whole = (*self.inputs, *[None] * (len(slots) - len(self.inputs)))
        given = zip(OPS[self.kind].named(len(whole)), whole, strict=True)
        return tuple(array for name, array in given if name == slot)

    def value(self, key: str) -> Any:
        """An attribute as a plain number or word; None where the op does not have it."""
        return number(self.attrs.get(key))


def as_mask(array: Array) -> Array:
    """0 and 1, or False and True, as booleans."""
    return np.asarray(array != 0)
