"""How far two results are apart, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import Array

EXACT = 1e-10
"""In float64: what is equal differs by 1e-14 or so, a wrong epsilon of a norm by 1e-6."""


@dataclass(frozen=True)
class Measured:
    """The largest error that a law found, relative to the largest number that was expected.

    where: the case, the result and the index, or the weight
    note: what was left out, or is claimed in a weaker form
    """

    error: float
    bound: float
    where: str = ""
    note: str = ""


@dataclass(frozen=True)
class NotHere:
    """A law says nothing about this model."""

    reason: str


class Largest:
    """Keeps the largest of several errors, and where it was."""

    def __init__(self, bound: float = EXACT) -> None:
        self.bound, self.error, self.where = bound, 0.0, ""
        self.compared = 0

    def take(self, error: float, where: str) -> None:
        """One error; what is no number is as wrong as can be."""
        self.compared += 1
        error = float("inf") if np.isnan(error) else float(error)
        if error > self.error or not self.where:
            self.error, self.where = error, where

    def compare(self, found: Any, expected: Any, where: str) -> None:
        """The largest difference of two arrays, relative to the largest number expected."""
        found, expected = as_array(found), as_array(expected)
        if found.shape != expected.shape:
            self.take(float("inf"), f"{where}: {found.shape} instead of {expected.shape}")
            return
        if not expected.size:
            return
        with np.errstate(invalid="ignore"):
            difference = np.abs(found - expected)
        place = np.unravel_index(int(np.argmax(difference)), difference.shape)
        largest = max(float(np.abs(expected).max()), 1e-30)
        index = ", ".join(str(int(i)) for i in place)
        self.take(float(difference[place]) / largest, f"{where}[{index}]")

    def measured(self, note: str = "") -> Measured:
        return Measured(self.error, self.bound, self.where, note)


def as_array(value: Any) -> Array:
    """A tensor or an array, in float64."""
    if hasattr(value, "detach"):
        value = value.detach().double().cpu().numpy()
    return np.asarray(value, np.float64)
