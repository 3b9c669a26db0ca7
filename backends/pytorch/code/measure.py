"""How long statements are: what the program itself decides by.

A person gives a part of a long statement a name of its own. Such choices belong to the program:
they are made before it is printed, for lines of LONG columns, and are the same whatever width it
is printed at. The printer only breaks lines.
"""

from __future__ import annotations

from typing import Any

from .nodes import Statement
from .show import columns, show

LONG = 100
"""Columns beyond which a statement is long."""


def width(statement: Statement, depth: int = 0) -> int:
    """Width of the statement on one line, including its note."""
    note = getattr(statement, "note", "")
    return 4 * depth + columns(statement) + (len(note) + 4 if note else 0)


def height(body: tuple[Any, ...], depth: int) -> tuple[bool, int]:
    """Whether a line of these statements is too long however they are broken, and their lines."""
    lines = [line for statement in body for line in show(statement, depth, LONG)]
    return any(len(line.text) > LONG for line in lines), len(lines)
