"""Which keys a run of queries may attend to, as ranges, for each predicate: what tiles read.

Where `strided(n)` holds for all pairs, a run has every n-th query and key (`classes`).

Emitted files contain the same rules (`backends/pytorch/runtime/ranges.py`); a test compares them. A
range is (start, stop). Ranges may name more keys than the mask allows, never fewer.

>>> from .formula import parse_formula
>>> tile_ranges(parse_formula("causal & window(4) | keys(0:2)"), Run(8, 12, 16))
((0, 2), (5, 12))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .formula import And, Atom, Formula, Not, Or, Range, atoms
from .rows import drawn_blocks

Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Run:
    """Queries from `first` to `last` (excluded) of `end` tokens, without padding or other data.

    step: their distance, and that of the keys that they read
    """

    first: int
    last: int
    end: int
    step: int = 1

    @property
    def queries(self) -> range:
        return range(self.first, self.last, self.step)

    @property
    def everything(self) -> Ranges:
        return [(0, self.end)]

    def limits(self, chosen: Range) -> tuple[int, int]:
        """A range of tokens; negative limits count from the end."""
        start, stop = chosen.start or 0, self.end if chosen.stop is None else chosen.stop
        return (start + self.end if start < 0 else start, stop + self.end if stop < 0 else stop)

    def opened(self, rows: tuple[int, int]) -> Ranges:
        """All keys if one of the queries is in `rows`."""
        return self.everything if rows[0] < self.last and self.first < rows[1] else []


def tile_ranges(formula: Formula, run: Run) -> tuple[tuple[int, int], ...]:
    """Sorted, disjoint ranges of the keys that a run of queries reads; the first key at least."""
    found: Ranges = []
    for first, last in sorted((max(a, 0), min(b, run.end)) for a, b in may_see(formula, run)):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        elif first < last:
            found.append((first, last))
    return tuple(found or [(0, 1)])


def tile_keys(formula: Formula, run: Run) -> tuple[range, ...]:
    """The same as indices, every `step`-th key; one key at least."""
    own = run.first % run.step
    ranges = tile_ranges(formula, run)
    found = [range(a + (own - a) % run.step, b, run.step) for a, b in ranges]
    return tuple(filter(len, found)) or (range(own, own + 1, run.step),)


def may_see(formula: Formula, run: Run) -> Ranges:
    """The keys that the queries may need, unsorted."""
    if isinstance(formula, Atom):
        own: Ranges = RANGES[formula.name](run, *formula.args)
        return own
    if isinstance(formula, Not):
        return run.everything
    assert isinstance(formula, (And, Or))
    parts = [may_see(part, run) for part in formula.parts]
    if isinstance(formula, Or):
        return [one for part in parts for one in part]
    found = parts[0]
    for part in parts[1:]:
        both = [(max(a, c), min(b, d)) for a, b in found for c, d in part]
        found = [(first, last) for first, last in both if first < last]
    return found


def runs(formula: Formula, tokens: int, size: int) -> list[Run]:
    """The queries in runs of at most `size`, cut where rows that read all keys begin and end."""
    whole = Run(0, tokens, tokens)
    cuts = {0, tokens, *range(0, tokens, size)}
    for start, stop in open_rows(formula, whole):
        cuts.update(edge for edge in (start, stop) if 0 < edge < tokens)
    return [Run(first, last, tokens) for first, last in pairwise(sorted(cuts))]


def classes(formula: Formula) -> tuple[Any, Formula] | None:
    """The stride n of `strided(n) & rest`, and the rest; None for a formula of another form.

    Such a mask falls into n masks of their own, each for every n-th token.

    >>> from .formula import parse_formula
    >>> stride, rest = classes(parse_formula("causal & strided(8) & documents"))
    >>> print(stride, "|", rest)
    8 | causal & documents
    """
    parts = formula.parts if isinstance(formula, And) else (formula,)
    strided = [part for part in parts if isinstance(part, Atom) and part.name == "strided"]
    if not strided or any(atom.name == "random" for atom in atoms(formula)):
        return None
    rest = tuple(part for part in parts if part is not strided[0])
    if len(rest) > 1:
        return strided[0].args[0], And(rest)
    return strided[0].args[0], rest[0] if rest else Atom("full", ())


def block_size(formula: Formula) -> Any | None:
    """The size n of `blocks(n)`, alone or with `causal`; None for a formula of another form.

    >>> from .formula import parse_formula
    >>> print(block_size(parse_formula("causal & blocks(8)")))
    8
    """
    parts = formula.parts if isinstance(formula, And) else (formula,)
    names = sorted(part.name if isinstance(part, Atom) else "" for part in parts)
    found = [part for part in parts if isinstance(part, Atom) and part.name == "blocks"]
    if names not in (["blocks"], ["blocks", "causal"]) or len(found[0].args) != 1:
        return None
    return found[0].args[0]


def class_runs(tokens: int, size: int, stride: int) -> list[Run]:
    """Every `stride`-th query in runs of at most `size`, class by class."""
    step = size * stride
    return [
        Run(first, min(first + step, tokens), tokens, stride)
        for start in range(min(stride, tokens))
        for first in range(start, tokens, step)
    ]


def is_one_row(formula: Formula, run: Run) -> bool:
    """Whether all queries of a run, which `runs` has cut, attend to the same keys."""
    every = list(atoms(formula))
    if any(atom.name not in ALIKE or atom.args == ("given",) for atom in every):
        return False
    sizes = [int(atom.args[0]) for atom in every if atom.name in IN_BLOCKS]  # type: ignore[arg-type]
    return all(run.first // size == (run.last - 1) // size for size in sizes)


IN_BLOCKS = ("blocks", "fixed", "random")
"""Predicates that read the block of a query and nothing else of it."""
ALIKE = (*IN_BLOCKS, "full", "global", "keys", "queries")
"""Predicates that the queries of a run have in common, unless it has several blocks."""


def open_rows(formula: Formula, run: Run) -> Ranges:
    """Queries that attend to all keys."""
    return [
        run.limits(atom.args[0])
        for atom in atoms(formula)
        if atom.name in ("global", "queries") and isinstance(atom.args[0], Range)
    ]


# -- one function for each predicate


def _window(run: Run, size: int) -> Ranges:
    return [(run.first + 1 - size, run.last)]


def _band(run: Run, left: int, right: int | None = None) -> Ranges:
    return [(run.first - left, run.last + (left if right is None else right))]


def _blocks(run: Run, size: int, neighbours: int = 0) -> Ranges:
    last = (run.last - 1) // size + neighbours + 1
    return [((run.first // size - neighbours) * size, last * size)]


def _strided(run: Run, stride: int) -> Ranges:
    count = run.last - run.first
    return [(key, key + count) for key in range(run.first % stride - stride, run.end, stride)]


def _fixed(run: Run, size: int, kept: int) -> Ranges:
    ends = range(0, run.end + size, size)
    return [*_blocks(run, size), *((stop - kept, stop) for stop in ends)]


def _random(run: Run, size: int, count: int, seed: int = 0) -> Ranges:
    blocks, own = (run.end - 1) // size + 1, range(run.first // size, (run.last - 1) // size + 1)
    drawn = {key for block in own for key in drawn_blocks(block, blocks, count, seed)}
    return [(key * size, (key + 1) * size) for key in drawn]


def _global(run: Run, chosen: Range | str) -> Ranges:
    if not isinstance(chosen, Range):
        return []  # no token is marked
    return [run.limits(chosen), *run.opened(run.limits(chosen))]


RANGES: dict[str, Callable[..., Any]] = {
    "full": lambda run: run.everything,
    "causal": lambda run: [(0, run.last)],
    "window": _window,
    "band": _band,
    "strided": _strided,
    "fixed": _fixed,
    "blocks": _blocks,
    "random": _random,
    "prefix": lambda run: [],
    "documents": lambda run: run.everything,
    "global": _global,
    "keys": lambda run, chosen: [run.limits(chosen)],
    "queries": lambda run, chosen: run.opened(run.limits(chosen)),
}
