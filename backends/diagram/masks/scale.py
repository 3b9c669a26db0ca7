"""Choose the number of tokens to draw and the scale: a window of 4096 is drawn as one of 8.

Sizes and positions (`global(-64:)`) are scaled; counts are not (`random(64, 3)` keeps its 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd, log2

from ....compiler.formula import And, Atom, Formula, Not, Or, Range, atoms

FEWEST, USUAL, MOST = 16, 20, 40
"""Default number of tokens."""

LIMIT = 512
"""Maximum number of tokens."""

SIZES = {"window": 1, "band": 2, "strided": 1, "fixed": 2, "blocks": 1, "random": 1}
"""Predicate -> how many of its leading arguments are numbers of tokens."""

PLAIN, MIXED, COARSE = 5, 8, 2
"""Target of the largest size: alone, with much smaller ones, with `random`."""

FEW_WINDOWS, COARSE_BLOCKS = 4, 20
"""How often it should fit into the drawn tokens."""

FITS = 8
"""Sizes up to this one are not scaled."""

MOST_DIVISORS = 100_000


@dataclass(frozen=True)
class Scale:
    """tokens: number of drawn tokens; factor: divisor of sizes."""

    tokens: int
    factor: int


def choose(
    formulas: Sequence[Formula], length: int, tokens: int | None = None, factor: int | None = None
) -> Scale:
    """Choose a scale at which windows, strides and blocks are visible."""
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
    """The divisor that brings the largest size close to its target."""
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
    """The widest range of keys that a predicate with a size allows."""
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
    """The formula with sizes divided by the factor, at least 1."""
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
    """A scaled size; at least 2 if it was larger, since 1 would be a different mask."""
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
    """All sizes in a formula; for `fixed`, only the block."""
    for atom in atoms(formula):
        count = 1 if atom.name == "fixed" else SIZES.get(atom.name, 0)
        yield from (int(arg) for arg in atom.args[:count] if isinstance(arg, int))
        for arg in atom.args:
            if isinstance(arg, Range):
                yield from _widths(arg)


def _widths(limits: Range) -> Iterator[int]:
    """The width and the start of a range, which should both be visible."""
    start, stop = limits.start or 0, limits.stop
    if stop is None:
        yield abs(start)
    elif (start < 0) == (stop < 0):
        yield stop - start
        yield abs(start)
    else:
        yield from (abs(start), abs(stop))
