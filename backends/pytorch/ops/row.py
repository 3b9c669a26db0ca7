"""The type of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.graph import Op
from ..code.measure import LONG, width
from ..code.nodes import Name, Set
from ..code.read import call, expression
from ..writer import Writer

Row = Callable[[Writer, Op], Any]
"""Writes an op: returns the expression of its result, or None if it wrote statements."""


def module_call(f: Writer, op: Op) -> Any:
    """The call of a module; its argument gets a variable if the line would be too long."""
    value = op.first
    if value in f.waiting and not f.root:
        own = call(f.own(op), f.waiting[value])
        if width(Set(Name("x"), expression("x + y", y=own)), depth=2) > LONG:
            source, inner = f.sources[value], f.waiting.pop(value)
            f.assign(f.bind(value, "y"), inner, "", source)
    return call(f.own(op), f.use(value))
