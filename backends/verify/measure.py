"""Compare two results: largest error and its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import Array

EXACT = 1e-10
"""Bound in float64: correct code differs by about 1e-14, a wrong epsilon of a norm by 1e-6."""


@dataclass(frozen=True)
class Measured:
    """The largest error of a law, relative to the largest expected value.

    where: case, output and index, or weight
    note: what was excluded, or tested with a weaker condition
    """

    error: float
    bound: float
    where: str = ""
    note: str = ""


@dataclass(frozen=True)
class NotHere:
    """A law is not applicable to this model."""

    reason: str


class Largest:
    """The largest of several errors, and its location."""

    def __init__(self, bound: float = EXACT) -> None:
        self.bound, self.error, self.where = bound, 0.0, ""
        self.compared = 0

    def take(self, error: float, where: str) -> None:
        """Add an error; NaN counts as infinite."""
        self.compared += 1
        error = float("inf") if np.isnan(error) else float(error)
        if error > self.error or not self.where:
            self.error, self.where = error, where

    def compare(self, found: Any, expected: Any, where: str) -> None:
        """The largest difference of two arrays, relative to the largest expected value."""
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
    """A tensor or array as a float64 array."""
    if hasattr(value, "detach"):
        value = value.detach().double().cpu().numpy()
    return np.asarray(value, np.float64)
