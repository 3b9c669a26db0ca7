"""The argument of an op's function: inputs, attributes and weights."""

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
    """One op to compute.

    inputs   in the order of the slots in `compiler/ops`; None if absent; absent ones at the end may
             be omitted
    attrs    the op's attributes; `value` returns one as a plain number
    weights  by name: `weight`, `bias`, or "" for a bare parameter
    batch    number of sequences; `tokens` is the number of tokens in the stack of the attribute
             `stack`, or 0
    layer    index of the layer, from 0
    """

    kind: str
    inputs: tuple[Array | None, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Array] = field(default_factory=dict)
    batch: int = 0
    tokens: int = 0
    layer: int = 0

    def given(self, slot: str) -> Array:
        """A required input. Raises ValueError if it is missing."""
        array = self.optional(slot)
        if array is None:
            raise ValueError(f"{self.kind}: `{slot}` is missing")
        return array

    def optional(self, slot: str) -> Array | None:
        """An optional input, or None. Raises LookupError for an unknown slot."""
        found = self._held(slot)
        return found[0] if found else None

    def several(self, slot: str) -> tuple[Array, ...]:
        """All inputs in a slot with several values."""
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
        """An attribute as a plain number or word; None if the op does not have it."""
        return number(self.attrs.get(key))


def as_mask(array: Array) -> Array:
    """0 and 1, or False and True, as booleans."""
    return np.asarray(array != 0)
