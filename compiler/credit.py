"""Assign each allowed pair of a mask to one term of the formula (for colours in figures).

A term is a conjunction of literals, with one operand of each `|`. A literal is a predicate or a
part with `~`. Terms are tuples of literal indices, counted from the left.

>>> from .formula import parse_formula
>>> formula = parse_formula("causal & (window(2) | strided(3))")
>>> literals(formula)
(Atom(name='causal', args=()), Atom(name='window', args=(2,)), Atom(name='strided', args=(3,)))
>>> {term: rows[3] for term, rows in credit(formula, 4).items()}  # of query 3: keys 2 and 3; key 0
{(0, 1): 12, (0, 2): 1}
"""

from __future__ import annotations

from .formula import And, Formula, Or
from .rows import Given, Rows

Term = tuple[int, ...]


def literals(formula: Formula) -> tuple[Formula, ...]:
    """The literals of a formula from left to right: predicates, and parts with `~`."""
    if isinstance(formula, (And, Or)):
        return tuple(literal for part in formula.parts for literal in literals(part))
    return (formula,)


def credit(formula: Formula, tokens: int, given: Given | None = None) -> dict[Term, list[int]]:
    """For each non-empty term, its part of the row of every query.

    The parts are disjoint, and their union is the mask. A pair that several operands of a `|` allow
    belongs to the first of them.
    """
    rows = Rows(tokens, given)
    found: dict[Term, list[int]] = {}
    for query in range(tokens):
        for term, row in _of_row(rows, formula, query, 0).items():
            found.setdefault(term, [0] * tokens)[query] = row
    return dict(sorted(found.items()))


def _of_row(rows: Rows, formula: Formula, query: int, first: int) -> dict[Term, int]:
    """The terms of one query. `first` is the index of the formula's first literal."""
    if isinstance(formula, Or):
        return _either(rows, formula, query, first)
    if isinstance(formula, And):
        return _all(rows, formula, query, first)
    row = rows.of(formula, query)
    return {(first,): row} if row else {}


def _either(rows: Rows, formula: Or, query: int, first: int) -> dict[Term, int]:
    found: dict[Term, int] = {}
    taken = 0
    for part in formula.parts:
        for term, row in _of_row(rows, part, query, first).items():
            if row & ~taken:
                found[term] = row & ~taken
            taken |= row
        first += len(literals(part))
    return found


def _all(rows: Rows, formula: And, query: int, first: int) -> dict[Term, int]:
    found: dict[Term, int] = {(): rows.all}
    for part in formula.parts:
        terms = _of_row(rows, part, query, first)
        pairs = ((a + b, row & other) for a, row in found.items() for b, other in terms.items())
        found = {term: row for term, row in pairs if row}
        first += len(literals(part))
    return found
