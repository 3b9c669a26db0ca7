"""Pieces of emitted text: expressions that know how tightly they bind, lines that know their op."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...compiler.sizes import Field, Size

ATOM, PRODUCT, SUM, BITAND, COMPARE, CHOICE = 9, 7, 6, 5, 3, 1


@dataclass(frozen=True)
class Expr:
    """Python text and its precedence: the higher, the tighter it binds."""

    text: str
    binding: int = ATOM

    def at(self, binding: int) -> str:
        """The text where something of this precedence is wanted."""
        return self.text if self.binding >= binding else f"({self.text})"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Line:
    """A logical line of a function body; `op` is the node that asked for it."""

    text: str
    comment: str = ""
    op: int | None = None
    indent: int = 0


def literal(value: Any) -> str:
    """A Python literal as a person writes it: 10_000.0, 1e-5, 50_257."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 1_000_000 else str(int(value))
    if isinstance(value, float):
        if value.is_integer() and 1e4 <= abs(value) < 1e15:
            return f"{int(value):_}.0"
        return re.sub(r"e([-+]?)0+(\d)", r"e\1\2", repr(value)).replace("e+", "e")
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(literal, value))}{comma})"
    return repr(value)


def config_text(value: Any, prefix: str = "config.") -> str:
    """A size, a field or a plain number, as an expression over the Config."""
    if isinstance(value, Size):
        return value.code(prefix)
    if isinstance(value, Field):
        return prefix + value.name
    return literal(value)
