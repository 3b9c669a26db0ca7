"""Sizes as expressions over the Config: `config.d_model // config.heads`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.sizes import BINDING, SIGNS, Field, Formula, Size
from .code.nodes import Binary, Dot, Expr, Literal, Name, Return, Set, Statement
from .code.read import call, constant

CONFIG = Name("config")


def config_expression(value: Any) -> Expr:
    """A size, field or number as an expression over `config`."""
    return over(value, lambda field: field_of(CONFIG, field))


def field_of(config: Expr, field: Field) -> Dot:
    """The field of a Config expression, with its origin in the spec."""
    return Dot(config, field.name, origins=frozenset({field.origin}))


def over(value: Any, write: Callable[[Field], Expr]) -> Expr:
    """The same expression with fields of the Config replaced."""
    if isinstance(value, Field):
        return write(value)
    if not isinstance(value, Size):
        return constant(value)
    return term_over(value.tree, write)


def formula_lines(formula: Formula) -> tuple[Statement, ...]:
    """The body of the property that computes a number from fields of its own Config."""

    def tree(term: Any) -> Expr:
        return term_over(term, lambda field: field_of(Name("self"), field))

    steps: list[Statement] = [Set(Name(name), tree(term)) for name, term in formula.steps]
    return (*steps, Return(tree(formula.result)))


def term_over(tree: Any, write: Callable[[Field], Expr]) -> Expr:
    """A term of fields, numbers and names, with each field written in a way."""
    if isinstance(tree, Field):
        return write(tree)
    if isinstance(tree, int):
        return Literal(int(tree), str(int(tree)))
    if isinstance(tree, float):
        return constant(tree)
    if isinstance(tree, str):
        return Name(tree)
    word, *parts = tree
    if word not in BINDING:
        return call(word, *(term_over(part, write) for part in parts))
    left, right = parts
    return Binary(term_over(left, write), SIGNS.get(word, word), term_over(right, write))


def over_bound(bound: Any, number: Callable[[Any], Any]) -> Any:
    """A bound of distances as an expression: sizes written by `number`, `min` or `max` of two."""
    if isinstance(bound, tuple):
        sign, *sides = bound
        return call(sign, *[over_bound(side, number) for side in sides])
    return number(bound)
