"""Templates: `expression("x + bias", x=…)` is the tree of that line, with x filled in.

The row of an op is written like the code that it becomes. Templates are parsed once; names that are
passed as arguments are replaced by expressions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any

from .build import call, constant, dotted, names, written
from .nodes import Expr, Name, Statement
from .parse import comments, read_block, read_definitions
from .parse_expressions import read_expression
from .walk import VALUES, walk


def expression(template: str, /, **given: Expr) -> Any:
    """The tree of an expression, with names replaced by the given expressions."""
    return _filling(template, frozenset(given))(given) if given else _expression(template)


def statements(template: str, /, **given: Expr) -> tuple[Statement, ...]:
    """The trees of these lines and their comments, with names replaced by the given expressions."""
    if not given:
        return _statements(template)
    filled: tuple[Statement, ...] = _filling_lines(template, frozenset(given))(given)
    return filled


@cache
def _expression(template: str) -> Any:
    return read_expression(ast.parse(template, mode="eval").body)


Filling = Callable[[dict[str, Any]], Any]


@cache
def _filling(template: str, names: frozenset[str]) -> Filling:
    """A function from expressions for these names to the tree of a template."""
    return _all_used(_expression(template), names)


@cache
def _filling_lines(template: str, names: frozenset[str]) -> Filling:
    """The same for a template of statements."""
    return _all_used(_statements(template), names)


def _all_used(tree: Any, names: frozenset[str]) -> Filling:
    """The same. Raises KeyError for arguments that the template does not use."""
    if unused := names - {node.id for node in walk(tree) if isinstance(node, Name)}:
        raise KeyError(f"a template does not use {', '.join(sorted(unused))}")
    return filling(tree, names)


def filling(tree: Any, names: frozenset[str]) -> Filling:
    """A function that fills in expressions for these names."""
    return _maker(tree, names) or (lambda given: tree)


def _maker(part: Any, names: frozenset[str]) -> Filling | None:
    """A function that fills in the names in this part; None if it contains none of them."""
    kind = type(part)
    if kind is Name:
        return itemgetter(part.id) if part.id in names else None
    parts = part if kind is tuple else VALUES[kind](part) if kind in VALUES else ()
    makers = [(place, maker) for place, i in enumerate(parts) if (maker := _maker(i, names))]
    if not makers:
        return None

    def fill(given: dict[str, Any]) -> Any:
        values = [*parts]
        for place, maker in makers:
            values[place] = maker(given)
        return tuple(values) if kind is tuple else kind(*values)

    return fill


@cache
def _statements(template: str) -> tuple[Statement, ...]:
    return read_block(template)


__all__ = [
    "Filling",
    "call",
    "comments",
    "constant",
    "dotted",
    "expression",
    "filling",
    "names",
    "read_block",
    "read_definitions",
    "read_expression",
    "statements",
    "written",
]
