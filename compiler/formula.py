"""Mask formulas as a graph holds them: a tree of atoms joined by `&`, `|` and `~`.

What each atom admits is said where the language defines it, in `spec/masks.py`; a formula here has
been checked there. Its numbers may be named sizes.

>>> formula = parse_formula("causal & (window(2) | ~strided(3))")
>>> print(formula)
causal & (window(2) | ~strided(3))
>>> [atom.name for atom in atoms(formula)]
['causal', 'window', 'strided']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..display import Displayed
from ..spec import masks as written


@dataclass(frozen=True)
class Range:
    """Positions start up to, not including, stop; None is the beginning or the end."""

    start: int | None
    stop: int | None

    def __str__(self) -> str:
        start, stop = ("" if end is None else str(end) for end in (self.start, self.stop))
        return f"{start}:{stop}"


Argument = int | Range | str
"""What stands in an atom's parentheses: a number, a named size, a range, or the word `given`."""


@dataclass(frozen=True)
class Formula(Displayed):
    """Any formula; `str` prints it as a spec writes it."""


@dataclass(frozen=True)
class Atom(Formula):
    """One predicate by name, such as `window(8)`."""

    name: str
    args: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})" if self.args else self.name


@dataclass(frozen=True)
class And(Formula):
    """Admits what every part admits. Parts that are themselves `And` are taken apart."""

    parts: tuple[Formula, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(And, self.parts))

    def __str__(self) -> str:
        return " & ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True)
class Or(Formula):
    """Admits what any part admits. Parts that are themselves `Or` are taken apart."""

    parts: tuple[Formula, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(Or, self.parts))

    def __str__(self) -> str:
        return " | ".join(map(str, self.parts))


@dataclass(frozen=True)
class Not(Formula):
    """Admits what `part` does not."""

    part: Formula

    def __str__(self) -> str:
        return f"~({self.part})" if isinstance(self.part, (And, Or)) else f"~{self.part}"


def _flat(kind: type[And] | type[Or], parts: tuple[Formula, ...]) -> tuple[Formula, ...]:
    return tuple(q for p in parts for q in (p.parts if isinstance(p, kind) else (p,)))


class HeadFormulas(tuple[Formula, ...]):
    """The formulas of equal runs of heads, in order; written as a spec writes them."""

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self))}]"


AnyMask = written.Mask | Formula
"""A mask of a spec, or the formula of one."""


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
    """Read a formula as a spec writes it. Raises `spec.masks.MaskError` for what is none."""
    return formula_of(written.parse_mask(text))


def atoms(formula: Formula) -> Iterator[Atom]:
    """Every atom of a formula, from left to right."""
    if isinstance(formula, Atom):
        yield formula
    elif isinstance(formula, Not):
        yield from atoms(formula.part)
    elif isinstance(formula, (And, Or)):
        for part in formula.parts:
            yield from atoms(part)


def plain(formula: Formula) -> Formula:
    """The same formula with its named sizes as plain numbers."""
    if isinstance(formula, (And, Or)):
        return type(formula)(tuple(plain(part) for part in formula.parts))
    if isinstance(formula, Not):
        return Not(plain(formula.part))
    assert isinstance(formula, Atom)
    numbers = tuple(int(arg) if isinstance(arg, int) else arg for arg in formula.args)
    return Atom(formula.name, numbers)
