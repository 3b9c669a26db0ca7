"""What a row of the tables is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.graph import Op
from ..code.read import call
from ..writer import Writer

Row = Callable[[Writer, Op], Any]
"""Writes an op: returns the expression of its result, or None where it wrote statements."""


def module_call(f: Writer, op: Op) -> Any:
    return call(f.own(op), f.use(op.first))
