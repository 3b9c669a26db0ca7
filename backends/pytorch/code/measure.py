"""Width and height of statements when printed.

They decide whether a part of a long expression gets a name. These decisions are part of the
program: they are made before it is printed, for lines of LONG columns, so that the program is the
same for every width at which it is printed. The printer only breaks lines.
"""

from __future__ import annotations

from typing import Any

from .nodes import Statement
from .show import columns, show

LONG = 100
"""A statement with more columns than this is long."""


def width(statement: Statement, depth: int = 0) -> int:
    """Width of the statement on one line, including its note."""
    note = getattr(statement, "note", "")
    return 4 * depth + columns(statement) + (len(note) + 4 if note else 0)


def height(body: tuple[Any, ...], depth: int) -> tuple[bool, int]:
    """Whether some line is still too long after line breaks; and the number of lines."""
    lines = [line for statement in body for line in show(statement, depth, LONG)]
    return any(len(line.text) > LONG for line in lines), len(lines)
