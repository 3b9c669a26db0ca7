"""Sizes as expressions over the Config: `config.d_model // config.heads`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.sizes import Field, Size
from .code.nodes import Binary, Dot, Expr, Literal, Name
from .code.read import constant

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
    return _tree(value.tree, write)


def _tree(tree: Any, write: Callable[[Field], Expr]) -> Expr:
    if isinstance(tree, Field):
        return write(tree)
    if isinstance(tree, int):
        return Literal(int(tree), str(int(tree)))
    sign, left, right = tree
    return Binary(_tree(left, write), sign, _tree(right, write))
