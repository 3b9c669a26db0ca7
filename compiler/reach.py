"""How many keys before and after its position a query may attend to, from the mask formula.

>>> from .formula import parse_formula
>>> reach(parse_formula("causal & window(8)"))
Reach(left=7, right=0)
>>> reach(parse_formula("band(2, 5) | window(4)"))
Reach(left=('max', 2, 3), right=('max', 5, 0))
>>> reach(parse_formula("causal & ~window(8)"))
Reach(left=None, right=0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..records import record
from .formula import And, Atom, Formula, Not, Or, atoms

Bound = int | tuple[str, Any, Any] | None
"""A number of keys (an int or a named size), `min` or `max` of two bounds, or None: no bound."""

RELATIVE = ("full", "causal", "window", "band", "strided")
"""Predicates that depend only on the distance of query and key."""


@record(frozen=True)
class Reach:
    """The largest number of keys before and after a query; None if there is no bound."""

    left: Bound
    right: Bound

    @property
    def bounded(self) -> bool:
        return self.left is not None and self.right is not None


EVERYTHING = Reach(None, None)


def reach(formula: Formula) -> Reach:
    """Bounds on the distance between a query and the keys that a formula allows."""
    if isinstance(formula, (And, Or)):
        found = [reach(part) for part in formula.parts]
        join = _least if isinstance(formula, And) else _most
        left, right = found[0].left, found[0].right
        for part in found[1:]:
            left, right = join(left, part.left), join(right, part.right)
        return Reach(left, right)
    if isinstance(formula, Not) or not isinstance(formula, Atom):
        return EVERYTHING
    return ATOMS[formula.name](*formula.args) if formula.name in ATOMS else EVERYTHING


def _blocks(size: int, neighbours: int = 0) -> Reach:
    far = (int(neighbours) + 1) * int(size) - 1
    return Reach(far, far)


ATOMS: dict[str, Callable[..., Reach]] = {
    "blocks": _blocks,
    "causal": lambda: Reach(None, 0),
    "window": lambda size: Reach(size - 1, 0),
    "band": lambda left, right=None: Reach(left, left if right is None else right),
}


def _least(a: Bound, b: Bound) -> Bound:
    """The smaller bound; 0 is always the smaller one."""
    if a is None or b is None:
        return b if a is None else a
    return 0 if 0 in (a, b) else a if a == b else ("min", a, b)


def _most(a: Bound, b: Bound) -> Bound:
    if a is None or b is None:
        return None
    return a if a == b else ("max", a, b)


def is_relative(formula: Formula) -> bool:
    """Whether the formula depends only on the distance of query and key."""
    return all(atom.name in RELATIVE for atom in atoms(formula))


def most(bound: Bound) -> int:
    """The value of a bound."""
    assert bound is not None
    if isinstance(bound, tuple):
        sign, a, b = bound
        return (min if sign == "min" else max)(most(a), most(b))
    return int(bound)
