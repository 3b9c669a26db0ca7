"""What a row of the tables is."""

from __future__ import annotations

from collections.abc import Callable

from ....compiler.graph import Op
from ..function import Function
from ..text import Expr

Row = Callable[[Function, Op], Expr | None]


def call(function: str, *arguments: str) -> Expr:
    return Expr(f"{function}({', '.join(arguments)})")


def module_call(f: Function, op: Op) -> Expr:
    return call(f.own(op), str(f.use(op.inputs[0])))
