"""How many pairs a mask admits, counted without a table of all pairs.

A row (the keys that one query sees) is one whole number with a bit per key, so a formula is a few
operations on whole numbers for each query.

>>> from ..spec.masks import parse_mask
>>> density(parse_mask("causal"), 4)
0.625
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..spec.masks import And, Atom, Mask, Not, Range, atoms

EXACT = 4096
"""Up to this many tokens every row is counted; of longer sequences, this many rows."""

DRAWS = 200_000
"""Rows are fewer where `random` would have to draw from more key blocks than this in all."""

GOLDEN = 0.6180339887498949


def density(formula: Mask, tokens: int) -> float:
    """The share of all pairs of `tokens` queries and keys that the formula admits, 0 to 1.

    Exact up to 4096 tokens and, at any length, for `full`, `causal`, `window` and `band`; above
    that from 4096 rows spread evenly, which is within 0.1 % of the whole for masks whose rows
    repeat or grow steadily (all atoms do). `random` over very many blocks is sampled earlier. What
    depends on data counts as when the argument is left out: one document, no prefix, no global
    token but those that the formula names, no padding.
    """
    if tokens < 1:
        return 0.0
    closed = _closed_form(formula, tokens)
    if closed is not None:
        return closed
    rows = _sampled(tokens, _row_limit(formula, tokens))
    row = _Rows(tokens)
    admitted = sum(row.of(formula, query).bit_count() for query in rows)
    return admitted / (len(rows) * tokens)


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


def _closed_form(formula: Mask, tokens: int) -> float | None:
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


def _row_limit(formula: Mask, tokens: int) -> int:
    drawn = [-(-tokens // _int(a.args[0])) for a in atoms(formula) if a.name == "random"]
    return min([EXACT, *(max(64, DRAWS // blocks) for blocks in drawn)])


def _sampled(tokens: int, limit: int) -> list[int]:
    """Every row, or `limit` of them: one in each equal run, at a place that never falls in step."""
    if tokens <= limit:
        return list(range(tokens))
    return [int((i + i * GOLDEN % 1) * tokens / limit) for i in range(limit)]


class _Rows:
    """The keys that a query sees, as a number with a bit per key, for a sequence of one length."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.all = (1 << tokens) - 1
        self.kept: dict[Any, int] = {}

    def of(self, formula: Mask, query: int) -> int:
        if isinstance(formula, Atom):
            return ROWS[formula.name](self, query, *formula.args)
        if isinstance(formula, Not):
            return self.all & ~self.of(formula.part, query)
        parts = formula.parts  # type: ignore[attr-defined]
        row = self.of(parts[0], query)
        for part in parts[1:]:
            other = self.of(part, query)
            row = row & other if isinstance(formula, And) else row | other
        return row

    def run(self, start: int, stop: int) -> int:
        """The keys start up to stop."""
        start, stop = max(start, 0), min(stop, self.tokens)
        return ((1 << (stop - start)) - 1) << start if start < stop else 0

    def once(self, key: Any, make: Callable[[], int]) -> int:
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def repeated(self, pattern: int, period: int) -> int:
        """A pattern of bits again and again, from key 0 on."""
        row, length = pattern, period
        while length < self.tokens:
            row |= row << length
            length *= 2
        return row & self.all

    def ends(self, chosen: Range) -> tuple[int, int]:
        start, stop = (
            None if side is None else side + self.tokens if side < 0 else side
            for side in (chosen.start, chosen.stop)
        )
        return max(start or 0, 0), self.tokens if stop is None else stop


def _int(argument: Any) -> int:
    return int(argument)


def _full(rows: _Rows, query: int, *_: Any) -> int:
    return rows.all


def _window(rows: _Rows, query: int, n: int) -> int:
    return rows.run(query - n + 1, query + 1)


def _band(rows: _Rows, query: int, left: int, right: int | None = None) -> int:
    return rows.run(query - left, query + (left if right is None else right) + 1)


def _strided(rows: _Rows, query: int, n: int) -> int:
    every = rows.once(("strided", n), lambda: rows.repeated(1, n))
    return every << query % n & rows.all


def _blocks(rows: _Rows, query: int, n: int, m: int = 0) -> int:
    block = query // n
    return rows.run((block - m) * n, (block + m + 1) * n)


def _fixed(rows: _Rows, query: int, n: int, c: int) -> int:
    last = rows.once(("fixed", n, c), lambda: rows.repeated(((1 << c) - 1) << (n - c), n))
    return last | _blocks(rows, query, n)


def _random(rows: _Rows, query: int, n: int, m: int, seed: int = 0) -> int:
    def make() -> int:
        drawn = drawn_blocks(query // n, -(-rows.tokens // n), m, seed)
        row = 0
        for block in drawn:
            row |= rows.run(block * n, (block + 1) * n)
        return row

    return rows.once(("random", query // n, n, m, seed), make)


def drawn_blocks(block: int, blocks: int, m: int, seed: int) -> list[int]:
    """The key blocks that `random(n, m, seed)` gives the queries of `block`, of `blocks` in all."""

    def place(key: int) -> tuple[int, int]:
        x = ((block * 92837111) ^ (key * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
        return x * 48271 % 2147483647 * 48271 % 2147483647, key

    return sorted(range(blocks), key=place)[:m]


def _global(rows: _Rows, query: int, chosen: Range | str) -> int:
    if not isinstance(chosen, Range):
        return 0
    start, stop = rows.ends(chosen)
    return rows.all if start <= query < stop else rows.run(start, stop)


def _keys(rows: _Rows, query: int, chosen: Range) -> int:
    return rows.run(*rows.ends(chosen))


def _queries(rows: _Rows, query: int, chosen: Range) -> int:
    start, stop = rows.ends(chosen)
    return rows.all if start <= query < stop else 0


ROWS: dict[str, Callable[..., int]] = {
    "full": _full,
    "causal": lambda rows, query: rows.run(0, query + 1),
    "window": _window,
    "band": _band,
    "strided": _strided,
    "fixed": _fixed,
    "blocks": _blocks,
    "random": _random,
    "prefix": lambda rows, query: 0,
    "documents": _full,
    "global": _global,
    "keys": _keys,
    "queries": _queries,
}
