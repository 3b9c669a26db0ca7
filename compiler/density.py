"""The density of a mask, computed without a table of all pairs.

For most masks, the bits of each row are counted (of a sample of rows for long sequences). A row is
an integer with one bit per key.

>>> from .formula import parse_formula
>>> density(parse_formula("causal"), 4)
0.625
"""

from __future__ import annotations

from typing import Any

from .formula import And, Atom, Formula, Range, atoms
from .rows import Rows

EXACT = 4096
"""Maximum number of rows that are counted; longer sequences are sampled."""

DRAWS = 200_000
"""Limit of key blocks that `random` may choose from in total; beyond it, neighbouring query blocks
share a choice."""

GOLDEN = 0.6180339887498949


def density(formula: Formula, tokens: int, rows: int = EXACT) -> float:
    """The fraction of pairs of `tokens` queries and keys that the formula allows, 0 to 1.

    Exact up to 4096 tokens and, at any length, for `full`, `causal`, `window` and `band`. Otherwise
    computed from 4096 evenly spaced rows and all rows of `global` and `queries` ranges, with an
    error below 0.1 %. With `random` over very many blocks, neighbouring blocks share a choice.
    Fewer `rows` are faster and less exact. Absent arguments have their defaults: one document, no
    prefix, no further global tokens, no padding.
    """
    if tokens < 1:
        return 0.0
    closed = _closed_form(formula, tokens)
    if closed is not None:
        return closed
    row = Rows(tokens, draws=DRAWS * rows // EXACT)
    apart = _apart(formula, row, rows // 2) if tokens > rows else set()
    others = [query for query in _sampled(tokens, rows) if query not in apart]
    counted = sum(row.of(formula, query).bit_count() for query in apart)
    sampled = sum(row.of(formula, query).bit_count() for query in others)
    mean = sampled / max(1, len(others))
    return (counted + mean * (tokens - len(apart))) / tokens**2


# -- masks of one diagonal band


def _offsets(atom: Atom, tokens: int) -> tuple[int, int] | None:
    """The range of q - k of a predicate that depends only on it; else None."""
    if atom.name == "full":
        return -tokens, tokens
    if atom.name == "causal":
        return 0, tokens
    if atom.name == "window":
        return 0, _int(atom.args[0]) - 1
    if atom.name == "band":
        return -_int(atom.args[-1]), _int(atom.args[0])
    return None


def _closed_form(formula: Formula, tokens: int) -> float | None:
    parts = formula.parts if isinstance(formula, And) else (formula,)
    least, most = -(tokens - 1), tokens - 1
    for part in parts:
        offsets = _offsets(part, tokens) if isinstance(part, Atom) else None
        if offsets is None:
            return None
        least, most = max(least, offsets[0]), min(most, offsets[1])
    pairs = _diagonals(most, tokens) - _diagonals(least - 1, tokens) if least <= most else 0
    return pairs / tokens**2


def _diagonals(offset: int, tokens: int) -> int:
    """Number of pairs with q - k <= offset, for -tokens <= offset < tokens."""
    if offset < 0:
        return (tokens + offset) * (tokens + offset + 1) // 2
    return tokens**2 - (tokens - offset - 1) * (tokens - offset) // 2


# -- all others, row by row


def _apart(formula: Formula, rows: Rows, most: int) -> set[int]:
    """Queries whose rows are full because of a range; empty if there are enough to sample."""
    found: set[int] = set()
    for atom in atoms(formula):
        if atom.name in ("global", "queries") and isinstance(atom.args[0], Range):
            start, stop = rows.ends(atom.args[0])
            found.update(range(start, min(stop, rows.tokens, start + most + 1)))
    return found if len(found) <= most else set()


def _sampled(tokens: int, limit: int) -> list[int]:
    """All rows, or `limit` of them: one in each equal interval, at varying offsets."""
    if tokens <= limit:
        return list(range(tokens))
    return [int((i + i * GOLDEN % 1) * tokens / limit) for i in range(limit)]


def _int(argument: Any) -> int:
    return int(argument)
