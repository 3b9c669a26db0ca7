"""What repeats from layer to layer, as expressions over the layer's number `i`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from .code.nodes import Binary, Expr
from .code.nodes import Sequence as Items
from .code.read import constant, expression

MOST_TERMS = 16
"""So many tuples are added with `+`; a longer chain would be too deep for Python's compiler."""


def fold(order: Sequence[Hashable]) -> int:
    """The shortest length after which a pattern repeats, in linear time.

    It is the length less that of the longest proper prefix that is a suffix too (Knuth, Morris and
    Pratt, 1977).
    """
    longest = [0]  # for each prefix, the length of its longest proper prefix that ends it, too
    for item in order[1:]:
        length = longest[-1]
        while length and order[length] != item:
            length = longest[length - 1]
        longest.append(length + 1 if order[length] == item else 0)
    return len(order) - longest[-1]


def runs(parts: Sequence[Any]) -> Expr:
    """A tuple; long runs of one thing are folded: `(Dense,) * 3 + (Sparse,) * 58`."""
    found: list[tuple[Any, int]] = []
    for part in parts:
        if found and found[-1][0] == part:
            found[-1] = (part, found[-1][1] + 1)
        else:
            found.append((part, 1))
    if max(count for _, count in found) < 4:
        return Items(tuple(parts))
    terms: list[Expr] = []
    for part, count in found:
        one: Expr = Items((part,))
        terms.append(Binary(one, "*", constant(count)) if count > 1 else one)
    if len(terms) > MOST_TERMS:
        joined: Expr = expression("sum(terms, ())", terms=Items(tuple(terms)))
        return joined
    total = terms[0]
    for term in terms[1:]:
        total = Binary(total, "+", term)
    return total


def by_layer(parts: Sequence[Any]) -> Expr:
    """The part of layer `i`: `local if i % 6 < 5 else global_`, or one of a tuple."""
    period = fold(parts)
    within = expression("i % n", n=constant(period)) if period < len(parts) else expression("i")
    first = parts[0]
    count = next((n for n in range(period) if parts[n] != first), period)
    rest = set(parts[count:period])
    if len(rest) == 1:
        return _choice(first, within, count, rest.pop())
    if period == len(parts) and (later := _pattern_after(parts, count)):
        return _choice(first, within, count, by_layer(later))
    listed: Expr = expression("parts[i]", parts=runs(parts[:period]), i=within)
    return listed


def _choice(first: Expr, i: Expr, count: int, other: Expr) -> Expr:
    """`first` for the first layers, so many, else `other`."""
    test = expression("i == 0", i=i)
    if count > 1:
        test = expression("i < n", i=i, n=constant(count))
    chosen: Expr = expression("a if test else b", a=first, test=test, b=other)
    return chosen


def _pattern_after(parts: Sequence[Any], start: int) -> list[Any]:
    """What repeats behind the first layers, told by the layer's own number; [] for nothing."""
    rest = parts[start:]
    period = fold(rest) if rest else 1
    if period > len(rest) // 2:
        return []
    return [rest[(i - start) % period] for i in range(len(parts))]
