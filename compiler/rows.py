"""The rows of a mask as integers with one bit per key.

A formula takes a few integer operations per query, without a table of all pairs.

>>> from .formula import parse_formula
>>> bin(Rows(4).of(parse_formula("causal"), 2))
'0b111'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .formula import And, Atom, Formula, Not, Or, Range


@dataclass(frozen=True)
class Given:
    """Data arguments of a mask for one sequence; the defaults are neutral.

    document_ids: document of each token; empty: only one document
    prefix_length: length of the prefix
    global_tokens: where `global_mask` is 1
    """

    document_ids: tuple[int, ...] = ()
    prefix_length: int = 0
    global_tokens: frozenset[int] = frozenset()


class Rows:
    """The rows of a mask for `tokens` tokens; bit k is set if the query attends to key k.

    draws: limit of key blocks that `random` may choose from in total; beyond it, neighbouring query
        blocks share a choice. 0: no limit
    """

    def __init__(self, tokens: int, given: Given | None = None, draws: int = 0) -> None:
        self.tokens, self.given, self.draws = tokens, given or Given(), draws
        self.all = (1 << tokens) - 1
        self.kept: dict[Any, int] = {}

    def of(self, formula: Formula, query: int) -> int:
        """The keys that a formula allows for one query."""
        if isinstance(formula, Atom):
            return ROWS[formula.name](self, query, *formula.args)
        if isinstance(formula, Not):
            return self.all & ~self.of(formula.part, query)
        assert isinstance(formula, (And, Or))
        parts = formula.parts
        row = self.of(parts[0], query)
        for part in parts[1:]:
            other = self.of(part, query)
            row = row & other if isinstance(formula, And) else row | other
        return row

    def run(self, start: int, stop: int) -> int:
        """The keys from start up to stop."""
        start, stop = max(start, 0), min(stop, self.tokens)
        return ((1 << (stop - start)) - 1) << start if start < stop else 0

    def chosen(self, keys: Iterable[int]) -> int:
        """These keys."""
        row = 0
        for key in keys:
            row |= 1 << key
        return row & self.all

    def once(self, key: Any, make: Callable[[], int]) -> int:
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def repeated(self, pattern: int, period: int) -> int:
        """A bit pattern, repeated from key 0 on."""
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


def drawn_blocks(block: int, blocks: int, m: int, seed: int) -> list[int]:
    """The key blocks that `random(n, m, seed)` chooses for the query block `block` of `blocks`."""

    def place(key: int) -> tuple[int, int]:
        x = ((block * 92837111) ^ (key * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
        return x * 48271 % 2147483647 * 48271 % 2147483647, key

    return sorted(range(blocks), key=place)[:m]


# -- one function for each predicate


def _full(rows: Rows, query: int) -> int:
    return rows.all


def _causal(rows: Rows, query: int) -> int:
    return rows.run(0, query + 1)


def _window(rows: Rows, query: int, n: int) -> int:
    return rows.run(query - n + 1, query + 1)


def _band(rows: Rows, query: int, left: int, right: int | None = None) -> int:
    return rows.run(query - left, query + (left if right is None else right) + 1)


def _strided(rows: Rows, query: int, n: int) -> int:
    every = rows.once(("strided", n), lambda: rows.repeated(1, n))
    return every << query % n & rows.all


def _blocks(rows: Rows, query: int, n: int, m: int = 0) -> int:
    block = query // n
    return rows.run((block - m) * n, (block + m + 1) * n)


def _fixed(rows: Rows, query: int, n: int, c: int) -> int:
    last = rows.once(("fixed", n, c), lambda: rows.repeated(((1 << c) - 1) << (n - c), n))
    return last | _blocks(rows, query, n)


def _random(rows: Rows, query: int, n: int, m: int, seed: int = 0) -> int:
    blocks, own = -(-rows.tokens // n), query // n
    if rows.draws:
        own -= own % -(-(blocks**2) // rows.draws)

    def make() -> int:
        row = 0
        for block in drawn_blocks(own, blocks, m, seed):
            row |= rows.run(block * n, (block + 1) * n)
        return row

    return rows.once(("random", own, n, m, seed), make)


def _prefix(rows: Rows, query: int) -> int:
    return rows.run(0, rows.given.prefix_length)


def _documents(rows: Rows, query: int) -> int:
    ids = rows.given.document_ids
    if not ids:
        return rows.all
    own = ids[query]

    def make() -> int:
        return rows.chosen(key for key, other in enumerate(ids) if other == own)

    return rows.once(("documents", own), make)


def _global(rows: Rows, query: int, chosen: Range | str) -> int:
    if not isinstance(chosen, Range):
        tokens = rows.given.global_tokens
        return rows.all if query in tokens else rows.chosen(tokens)
    start, stop = rows.ends(chosen)
    return rows.all if start <= query < stop else rows.run(start, stop)


def _keys(rows: Rows, query: int, chosen: Range) -> int:
    return rows.run(*rows.ends(chosen))


def _queries(rows: Rows, query: int, chosen: Range) -> int:
    start, stop = rows.ends(chosen)
    return rows.all if start <= query < stop else 0


ROWS: dict[str, Callable[..., int]] = {
    "full": _full,
    "causal": _causal,
    "window": _window,
    "band": _band,
    "strided": _strided,
    "fixed": _fixed,
    "blocks": _blocks,
    "random": _random,
    "prefix": _prefix,
    "documents": _documents,
    "global": _global,
    "keys": _keys,
    "queries": _queries,
}
