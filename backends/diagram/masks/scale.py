"""How many tokens to draw, and how much smaller the sizes: a window of 4096 is drawn as one of 8.

Positions shrink with sizes (`global(-64:)`); counts do not (`random(64, 3)` keeps its 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd, log2

from ....compiler.formula import And, Atom, Formula, Not, Or, Range, atoms

FEWEST, USUAL, MOST = 16, 20, 40
"""Tokens drawn where nobody says how many."""

LIMIT = 512
"""Tokens drawn at most."""

SIZES = {"window": 1, "band": 2, "strided": 1, "fixed": 2, "blocks": 1, "random": 1}
"""Atom -> how many of its numbers, from the left, are numbers of tokens."""

PLAIN, MIXED, COARSE = 5, 8, 2
"""What the largest size is drawn as, about: alone, beside much smaller ones, beside `random`."""

FEW_WINDOWS, COARSE_BLOCKS = 4, 20
"""How often it should fit into the tokens drawn."""

FITS = 8
"""Sizes up to this one are drawn as they are."""

MOST_DIVISORS = 100_000


@dataclass(frozen=True)
class Scale:
    """tokens: how many are drawn; factor: what sizes are divided by."""

    tokens: int
    factor: int


def choose(
    formulas: Sequence[Formula], length: int, tokens: int | None = None, factor: int | None = None
) -> Scale:
    """A scale at which windows, strides and blocks can be seen, for models of `length` tokens."""
    sizes = [size for formula in formulas for size in _sizes(formula) if size > 0]
    if not sizes:
        return Scale(tokens or max(1, min(USUAL, length)), factor or 1)
    coarse = any(atom.name == "random" for formula in formulas for atom in atoms(formula))
    several = COARSE_BLOCKS if coarse else FEW_WINDOWS
    if factor is None:
        wanted = COARSE if coarse else MIXED if min(sizes) * 4 < max(sizes) else PLAIN
        if tokens is not None:
            wanted = max(wanted, tokens // several)
        factor = _factor(sizes, wanted, length)
    if tokens is None:
        reach = max(_reach(scaled(formula, factor)) for formula in formulas)
        tokens = min(max(reach * several, USUAL), MOST)
        whole = length // factor
        tokens = min(tokens, whole) if whole >= FEWEST else tokens
    return Scale(tokens, factor)


def _factor(sizes: list[int], wanted: int, length: int) -> int:
    """What makes the largest size about as wanted: a divisor of every size, if one will do."""
    largest = max(sizes)
    if largest <= (wanted + 1 if wanted == COARSE else FITS):
        return 1
    common = gcd(*sizes)
    short = length // FEWEST if largest < length else largest

    def miss(n: int) -> float:
        return abs(log2(largest / n / wanted)) + (2.0 if n > short else 0.0)

    divisors = [n for n in range(1, min(common, MOST_DIVISORS) + 1) if common % n == 0]
    best = min(divisors, key=lambda n: (miss(n), n))
    return best if miss(best) <= 1 else max(1, round(largest / wanted))


def _reach(formula: Formula) -> int:
    """The widest run of keys that an atom with a size admits."""
    found = [1]
    for atom in atoms(formula):
        numbers = [arg for arg in atom.args if isinstance(arg, int)]
        if atom.name == "band":
            found.append(numbers[0] + numbers[-1] + 1)
        elif atom.name in SIZES:
            found.append(numbers[0])
        for arg in atom.args:
            if isinstance(arg, Range):
                found += [-(-size // 2) for size in _widths(arg)]
    return max(found)


def scaled(formula: Formula, factor: int) -> Formula:
    """The formula with its numbers of tokens divided, none of them down to nothing."""
    if isinstance(formula, (And, Or)):
        return type(formula)(tuple(scaled(part, factor) for part in formula.parts))
    if isinstance(formula, Not):
        return Not(scaled(formula.part, factor))
    assert isinstance(formula, Atom)
    args = list(formula.args)
    for index in range(min(SIZES.get(formula.name, 0), len(args))):
        number = args[index]
        assert isinstance(number, int)
        least = 1 if formula.name == "band" or index else 2
        args[index] = _smaller(number, factor, least)
    args = [_range(arg, factor) if isinstance(arg, Range) else arg for arg in args]
    return Atom(formula.name, tuple(args))


def _smaller(number: int, factor: int, least: int = 1) -> int:
    """A window or a block of one token would be another mask: 2 is the least of what was more."""
    return max(min(number, least), round(number / factor))


def _range(limits: Range, factor: int) -> Range:
    start, stop = limits.start, limits.stop
    shrunk = [None if end is None else _end(end, factor) for end in (start, stop)]
    low, high = shrunk[0] or 0, shrunk[1]
    if high is not None and (low < 0) == (high < 0) and low >= high:
        shrunk = [low, low + 1] if low + 1 else [low - 1, low]
    return Range(*shrunk)


def _end(end: int, factor: int) -> int:
    return _smaller(end, factor) if end >= 0 else -_smaller(-end, factor)


def _sizes(formula: Formula) -> Iterator[int]:
    """Every number of tokens in a formula; of `fixed`, the block alone."""
    for atom in atoms(formula):
        count = 1 if atom.name == "fixed" else SIZES.get(atom.name, 0)
        yield from (int(arg) for arg in atom.args[:count] if isinstance(arg, int))
        for arg in atom.args:
            if isinstance(arg, Range):
                yield from _widths(arg)


def _widths(limits: Range) -> Iterator[int]:
    """How wide a range is, and where it begins: both should be seen."""
    start, stop = limits.start or 0, limits.stop
    if stop is None:
        yield abs(start)
    elif (start < 0) == (stop < 0):
        yield stop - start
        yield abs(start)
    else:
        yield from (abs(start), abs(stop))
