"""Read the formula of a mask a second time, independently of `spec/masks.py`.

`causal & window(8) | prefix` is an expression of Python too, with the same precedence of `~`, `&`
and `|`, except for ranges such as `0:8`.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from ...spec.masks import And, Atom, Mask, Not, Or, Range

NAME = re.compile(r"[A-Za-z_]+")
RANGE = re.compile(r"(-?\d*):(-?\d*)")
SIGNS: dict[type[ast.operator], str] = {ast.BitAnd: "&", ast.BitOr: "|"}
RANGED = ("global", "keys", "queries")


def read_formula(text: str) -> Any:
    """Nested tuples: ("causal",), ("window", 8), ("&", one, other, …), ("~", one)."""
    named = NAME.sub(r"\g<0>_", text)  # `global` is a keyword of Python
    written = RANGE.sub(lambda ends: f"({ends[1] or None}, {ends[2] or None})", named)
    return _read(ast.parse(written.strip(), mode="eval").body)


def _read(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        sign = SIGNS[type(node.op)]
        parts = [_read(node.left), _read(node.right)]
        flat = [part[1:] if part[0] == sign else (part,) for part in parts]
        return (sign, *flat[0], *flat[1])
    if isinstance(node, ast.UnaryOp):
        return ("~", _read(node.operand))
    if isinstance(node, ast.Name):
        return (_name(node),)
    assert isinstance(node, ast.Call), ast.dump(node)
    name = _name(node.func)
    given = [_name(a) if isinstance(a, ast.Name) else ast.literal_eval(a) for a in node.args]
    if name in RANGED and isinstance(given[0], int):
        given = [(0, given[0])]  # the first ones
    if name == "random" and len(given) == 2:
        given.append(0)  # the seed
    return (name, *given)


def _name(node: ast.expr) -> str:
    return ast.unparse(node).removesuffix("_")


def as_tuples(mask: Mask) -> Any:
    """A mask of a spec in the same form."""
    if isinstance(mask, Atom):
        args = ((a.start, a.stop) if isinstance(a, Range) else a for a in mask.args)
        return (mask.name, *args)
    if isinstance(mask, Not):
        return ("~", as_tuples(mask.part))
    assert isinstance(mask, (And, Or))
    return ("&" if isinstance(mask, And) else "|", *map(as_tuples, mask.parts))
