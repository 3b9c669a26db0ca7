"""Polynomials in the axes B, T, S and M: costs as formulas, evaluated by substitution.

>>> flops = 2 * Poly.of("B") * Poly.of("T") * 768 * 768
>>> str(flops), flops.at(B=1, T=10)
('1179648*B*T', 11796480)
"""

from __future__ import annotations

from functools import lru_cache

from ..records import record
from .axes import Shape

Monomial = tuple[str, ...]


@record(frozen=True)
class Poly:
    """A polynomial: tuple of sorted axis letters -> coefficient."""

    terms: tuple[tuple[Monomial, float], ...] = ()

    @classmethod
    def of(cls, value: str | float | Poly) -> Poly:
        if isinstance(value, Poly):
            return value
        if isinstance(value, str):
            return cls((((value,), 1),))
        return cls((((), value),)) if value else cls()

    @classmethod
    def _collect(cls, pairs: list[tuple[Monomial, float]]) -> Poly:
        total: dict[Monomial, float] = {}
        for letters, factor in pairs:
            total[letters] = total.get(letters, 0) + factor
        return cls(tuple(sorted((k, v) for k, v in total.items() if v)))

    def __add__(self, other: Poly | float) -> Poly:
        more = Poly.of(other).terms
        return self._collect([*self.terms, *more]) if more else self

    __radd__ = __add__

    def __mul__(self, other: Poly | float) -> Poly:
        if not isinstance(other, Poly):
            if other == 1:
                return self
            return Poly(tuple([(k, v * other) for k, v in self.terms])) if other else Poly()
        if len(self.terms) == len(other.terms) == 1:
            ((a, x),), ((b, y),) = self.terms, other.terms
            return Poly(((tuple(sorted(a + b)), x * y),))
        return self._collect(
            [(tuple(sorted(a + b)), x * y) for a, x in self.terms for b, y in other.terms]
        )

    __rmul__ = __mul__

    def at(self, **axes: int) -> float:
        """The value for these axis lengths. Raises an error if an axis is missing."""
        total: float = 0
        for letters, factor in self.terms:
            for letter in letters:
                factor *= axes[letter]
            total += factor
        return total

    def __str__(self) -> str:
        shown = []
        for letters, factor in sorted(self.terms, key=lambda t: (-len(t[0]), t[0])):
            number = f"{factor:.0f}" if float(factor).is_integer() else f"{factor:g}"
            product = [
                letter if letters.count(letter) == 1 else f"{letter}^{letters.count(letter)}"
                for letter in dict.fromkeys(letters)
            ]
            shown.append("*".join(([] if number == "1" and product else [number]) + product))
        return " + ".join(shown) or "0"


ONE = Poly.of(1)


def elements(shape: Shape) -> Poly:
    """Number of elements of a tensor of this shape."""
    number, total = 1, ONE
    labels: tuple[str, ...] = ()
    for dim in shape:
        if dim.size is not None:
            number *= int(dim.size)
        elif dim.parts:
            total = total * elements(dim.parts)
        else:
            labels += (dim.label,)
    total = total * _product(labels) if total != ONE else _product(labels)
    return total * number if number != 1 else total


@lru_cache(maxsize=1024)
def _product(labels: tuple[str, ...]) -> Poly:
    """The number of elements of a tensor with these axes."""
    total = ONE
    for label in labels:
        total = total * _named(label)
    return total


@lru_cache(maxsize=256)
def _named(label: str) -> Poly:
    """The length of an axis called `T`, `2*T`, `M-1`, `2*T-8` or `T/2-1.5`."""
    total = Poly.of(1)
    product, _, less = label.partition("-")
    for factor in product.split("*"):
        letter, _, parts = factor.partition("/")
        total = total * (int(letter) if letter.isdigit() else Poly.of(letter))
        total = total * (1 / int(parts)) if parts else total
    return total + -float(less) if less else total
