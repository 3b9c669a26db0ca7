"""Small trees: literals as a person writes them, names, calls."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .nodes import Argument, Call, Dot, Expr, Literal, Name, Sequence


def constant(value: Any) -> Literal:
    """A Python literal in its usual form: 10_000.0, 1e-5, 50257."""
    return Literal(value, written(value))


def written(value: Any) -> str:
    """The text of a number, a string, None, True, False or a tuple of these."""
    if value is ...:
        return "..."
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 1_000_000 else str(int(value))
    if isinstance(value, float):
        return _written_float(value)
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(written, value))}{comma})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _written_float(value: float) -> str:
    if value.is_integer() and 1e4 <= abs(value) < 1e15:
        return f"{int(value):_}.0"
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def call(function: str | Expr, *arguments: Expr, **named: Expr) -> Call:
    """`function(arguments, name=value)`; the function is given by its (dotted) name."""
    of = dotted(function) if isinstance(function, str) else function
    by_name = [Argument(value, name) for name, value in named.items()]
    return Call(of, (*[Argument(value) for value in arguments], *by_name))


@cache
def dotted(path: str) -> Any:
    """`nn.init.normal_` as a tree."""
    first, *rest = path.split(".")
    found: Any = name(first)
    for part in rest:
        found = Dot(found, part)
    return found


def names(*ids: str) -> Any:
    """One or several names: the target of an assignment."""
    return name(ids[0]) if len(ids) == 1 else Sequence(tuple(map(name, ids)), "")


@cache
def name(word: str) -> Name:
    return Name(word)
