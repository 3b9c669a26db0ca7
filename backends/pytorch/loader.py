"""The table of checkpoint names that `build --loader` prints into an emitted file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .code.nodes import Argument, Call, Dictionary, Expr, Name, Pair, Sequence, Set, Statement
from .code.read import constant

FUNCTION = "load_checkpoint"
"""The function of the emitted file that reads a checkpoint by the table."""


@dataclass(frozen=True)
class Row:
    """A tensor or module of a checkpoint and the weights that it stores, by name.

    how: other arguments of the runtime's `Stored`
    """

    theirs: str
    ours: tuple[str, ...]
    how: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loader:
    """A table of checkpoint names.

    word: the argument of `build --loader`
    rows: rows in the order of the model's weights
    more: other arguments of the runtime's `Checkpoint`
    """

    word: str
    rows: tuple[Row, ...]
    more: Mapping[str, Any] = field(default_factory=dict)


def table(loader: Loader) -> list[Statement]:
    """The statement `CHECKPOINT = Checkpoint(…)`."""
    rows = Dictionary(tuple(Pair(constant(row.theirs), _row(row)) for row in loader.rows))
    more = [Argument(_value(value), name) for name, value in loader.more.items()]
    whole = Call(Name("Checkpoint"), (Argument(rows, "rows"), *more))
    return [Set(Name("CHECKPOINT"), whole)]


def _row(row: Row) -> Expr:
    if not row.how and len(row.ours) == 1:
        return constant(row.ours[0])
    how = [Argument(_value(value), name) for name, value in row.how.items()]
    return Call(Name("Stored"), (Argument(_value(row.ours)), *how))


def _value(value: Any) -> Expr:
    """A constant or a tuple of constants."""
    if isinstance(value, tuple):
        return Sequence(tuple(_value(item) for item in value))
    return constant(value)
