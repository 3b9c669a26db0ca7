"""How many pairs a mask admits, counted without a table of all pairs.

Of most masks every row is counted, or some rows of long sequences; a row is a whole number with a
bit per key.

>>> from .formula import parse_formula
>>> density(parse_formula("causal"), 4)
0.625
"""

from __future__ import annotations

from typing import Any

from .formula import And, Atom, Formula, Range, atoms
from .rows import Rows

EXACT = 4096
"""Up to this many tokens every row is counted; of longer sequences, this many rows."""

DRAWS = 200_000
"""Where `random` would draw from more key blocks than this in all, neighbours share a drawing."""

GOLDEN = 0.6180339887498949


def density(formula: Formula, tokens: int, rows: int = EXACT) -> float:
    """The share of all pairs of `tokens` queries and keys that the formula admits, 0 to 1.

    Exact up to 4096 tokens and, at any length, for `full`, `causal`, `window` and `band`; above
    that from 4096 rows spread evenly, and every row that a range of `global` or `queries` opens:
    within 0.1 % of the whole for masks whose rows repeat or grow steadily (all atoms do). Of
    `random` over very many blocks, blocks near each other share what they draw. Fewer `rows` are
    quicker and less exact. What depends on data counts as when the argument is left out: one
    document, no prefix, no global token but those that the formula names, no padding.
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
    """The least and the greatest q - k that an atom admits, where that is all it asks."""
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
    """How many pairs have q - k <= offset, for -tokens <= offset < tokens."""
    if offset < 0:
        return (tokens + offset) * (tokens + offset + 1) // 2
    return tokens**2 - (tokens - offset - 1) * (tokens - offset) // 2


# -- all others, row by row


def _apart(formula: Formula, rows: Rows, most: int) -> set[int]:
    """The queries whose whole rows a range opens, unless they are so many that a sample will do."""
    found: set[int] = set()
    for atom in atoms(formula):
        if atom.name in ("global", "queries") and isinstance(atom.args[0], Range):
            start, stop = rows.ends(atom.args[0])
            found.update(range(start, min(stop, rows.tokens, start + most + 1)))
    return found if len(found) <= most else set()


def _sampled(tokens: int, limit: int) -> list[int]:
    """Every row, or `limit` of them: one in each equal run, at a place that never falls in step."""
    if tokens <= limit:
        return list(range(tokens))
    return [int((i + i * GOLDEN % 1) * tokens / limit) for i in range(limit)]


def _int(argument: Any) -> int:
    return int(argument)
