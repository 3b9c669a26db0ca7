"""Mask formulas in a graph: a tree of predicates joined by `&`, `|` and `~`.

`spec/masks.py` defines the predicates and checks formulas. Here, numbers may be named sizes.

>>> formula = parse_formula("causal & (window(2) | ~strided(3))")
>>> print(formula)
causal & (window(2) | ~strided(3))
>>> [atom.name for atom in atoms(formula)]
['causal', 'window', 'strided']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..display import Displayed
from ..spec import masks as written


@dataclass(frozen=True)
class Range:
    """Positions from start up to, not including, stop; None is the beginning or the end."""

    start: int | None
    stop: int | None

    def __str__(self) -> str:
        start, stop = ("" if end is None else str(end) for end in (self.start, self.stop))
        return f"{start}:{stop}"


Argument = int | Range | str
"""An argument of a predicate: a number, a named size, a range, or the word `given`."""


@dataclass(frozen=True)
class Formula(Displayed):
    """Base class of formulas; `str` prints one as in a spec."""

    def __str__(self) -> str:
        return self.text(str)

    def text(self, write: Callable[[Argument], str]) -> str:
        """The formula with its arguments written by a function."""
        raise NotImplementedError


@dataclass(frozen=True)
class Atom(Formula):
    """One predicate by name, such as `window(8)`."""

    name: str
    args: tuple[Argument, ...] = ()

    def text(self, write: Callable[[Argument], str]) -> str:
        return f"{self.name}({', '.join(map(write, self.args))})" if self.args else self.name


@dataclass(frozen=True)
class And(Formula):
    """True if all parts are true. Nested `And`s are flattened."""

    parts: tuple[Formula, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(And, self.parts))

    def text(self, write: Callable[[Argument], str]) -> str:
        texts = ((p, p.text(write)) for p in self.parts)
        return " & ".join(f"({text})" if isinstance(p, Or) else text for p, text in texts)


@dataclass(frozen=True)
class Or(Formula):
    """True if any part is true. Nested `Or`s are flattened."""

    parts: tuple[Formula, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(Or, self.parts))

    def text(self, write: Callable[[Argument], str]) -> str:
        return " | ".join(p.text(write) for p in self.parts)


@dataclass(frozen=True)
class Not(Formula):
    """True if `part` is false."""

    part: Formula

    def text(self, write: Callable[[Argument], str]) -> str:
        inner = self.part.text(write)
        return f"~({inner})" if isinstance(self.part, (And, Or)) else f"~{inner}"


def _flat(kind: type[And] | type[Or], parts: tuple[Formula, ...]) -> tuple[Formula, ...]:
    return tuple(q for p in parts for q in (p.parts if isinstance(p, kind) else (p,)))


class HeadFormulas(tuple[Formula, ...]):
    """The formulas of equal groups of heads, in order; printed as in a spec."""

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self))}]"


AnyMask = written.Mask | Formula
"""A mask of a spec, or its formula."""


def formula_of(mask: AnyMask) -> Formula:
    """The formula of a mask."""
    if isinstance(mask, Formula):
        return mask
    if isinstance(mask, (written.And, written.Or)):
        kind = And if isinstance(mask, written.And) else Or
        return kind(tuple(formula_of(part) for part in mask.parts))
    if isinstance(mask, written.Not):
        return Not(formula_of(mask.part))
    assert isinstance(mask, written.Atom)
    return Atom(mask.name, tuple(map(_argument, mask.args)))


def _argument(argument: written.Argument) -> Argument:
    if isinstance(argument, written.Range):
        return Range(argument.start, argument.stop)
    return argument


def parse_formula(text: str) -> Formula:
    """Parse a formula. Raises `spec.masks.MaskError` if it is invalid."""
    return formula_of(written.parse_mask(text))


def atoms(formula: Formula) -> Iterator[Atom]:
    """All predicates of a formula, from left to right."""
    if isinstance(formula, Atom):
        yield formula
    elif isinstance(formula, Not):
        yield from atoms(formula.part)
    elif isinstance(formula, (And, Or)):
        for part in formula.parts:
            yield from atoms(part)


def plain(formula: Formula) -> Formula:
    """The same formula with plain numbers instead of named sizes."""
    if isinstance(formula, (And, Or)):
        return type(formula)(tuple(plain(part) for part in formula.parts))
    if isinstance(formula, Not):
        return Not(plain(formula.part))
    assert isinstance(formula, Atom)
    numbers = tuple(int(arg) if isinstance(arg, int) else arg for arg in formula.args)
    return Atom(formula.name, numbers)
