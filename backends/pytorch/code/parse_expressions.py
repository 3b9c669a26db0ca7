"""Convert parsed Python expressions to nodes. Syntax without a node type raises KeyError."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from .build import constant, name
from .nodes import (
    Argument,
    Binary,
    Bracketed,
    Call,
    Choice,
    Dictionary,
    Dot,
    Format,
    Generator,
    Index,
    Labelled,
    Literal,
    Loop,
    Pair,
    Sequence,
    Slice,
    Unary,
)
from .walk import rebuilt


def _arguments(node: ast.Call) -> Iterator[Argument]:
    for item in node.args:
        if isinstance(item, ast.Starred):
            yield read_expression(item)
        elif isinstance(item, ast.GeneratorExp) and len(node.args) + len(node.keywords) == 1:
            yield Argument(_generator("")(item))  # the call's parentheses are its own
        else:
            yield Argument(read_expression(item))
    for key in node.keywords:
        yield Argument(read_expression(key.value), key.arg or "", "" if key.arg else "**")


SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.And: "and",
    ast.Or: "or",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.USub: "-",
    ast.Invert: "~",
    ast.Not: "not ",
}


def _chain(parts: list[Any], signs: list[str]) -> Any:
    found = parts[0]
    for sign, part in zip(signs, parts[1:], strict=True):
        found = Binary(found, sign, part)
    return found


def _bool(node: ast.BoolOp) -> Any:
    """`or` and `and`; an `and` within an `or` is parenthesised (ruff RUF021)."""
    parts = [read_expression(value) for value in node.values]
    if isinstance(node.op, ast.Or):
        joined = [isinstance(part, Binary) and part.sign == "and" for part in parts]
        parts = [Bracketed(p) if one else p for p, one in zip(parts, joined, strict=True)]
    return _chain(parts, [SIGNS[type(node.op)]] * (len(parts) - 1))


def _compare(node: ast.Compare) -> Any:
    parts = [read_expression(part) for part in (node.left, *node.comparators)]
    parts = [Bracketed(part) if _compares(part) else part for part in parts]
    return _chain(parts, [SIGNS[type(sign)] for sign in node.ops])


def _compares(part: Any) -> bool:
    """Whether it is a comparison, which is parenthesised as an operand of another one."""
    return isinstance(part, Binary) and part.sign in COMPARISONS


COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in")


def refuse(bad: object, what: str) -> None:
    """Raise KeyError for syntax without a node type."""
    if bad:
        raise KeyError(f"emitted programs have no {what}")


def _subscript(node: ast.Subscript) -> Any:
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    refuse(not keys, "empty index")
    return Index(read_expression(node.value), tuple(map(read_expression, keys)))


def _slice(node: ast.Slice) -> Any:
    ends = (node.lower, node.upper, node.step)
    return Slice(*[None if end is None else read_expression(end) for end in ends])


def _format(node: ast.JoinedStr) -> Any:
    parts: list[Any] = []
    for part in node.values:
        if not isinstance(part, ast.FormattedValue):
            parts.append(str(part.value))  # type: ignore[attr-defined]
            continue
        value: Any = _in_quotes(part.value)
        label = f"{ast.unparse(part.value)}="
        before = parts[-1] if parts and isinstance(parts[-1], str) else ""
        labelled = part.conversion == ord("r") and before.endswith(label)
        other = part.conversion != -1 and not labelled
        refuse(other or part.format_spec, "format of a value in a string")
        if labelled:
            parts[-1], value = before.removesuffix(label), Labelled(value)
        parts.append(value)
    return Format(tuple(part for part in parts if part != ""))


def _in_quotes(node: ast.AST) -> Any:
    """An expression in an f-string; strings in it need the other kind of quotes."""

    def exchange(part: Literal) -> Literal | None:
        return Literal(part.value, repr(part.value)) if isinstance(part.value, str) else None

    return rebuilt(read_expression(node), {Literal: exchange})


def _generator(brackets: str) -> Callable[[Any], Any]:
    def read(node: Any) -> Any:
        first, *inner = map(_loop, node.generators)
        pair = isinstance(node, ast.DictComp)
        value = _pair(node.key, node.value) if pair else read_expression(node.elt)
        return Generator(value, first.target, first.over, first.test, brackets, tuple(inner))

    return read


def _loop(node: ast.comprehension) -> Loop:
    refuse(len(node.ifs) > 1, "second condition of a loop")
    test = read_expression(node.ifs[0]) if node.ifs else None
    return Loop(read_target(node.target), read_expression(node.iter), test)


def _dictionary(node: Any) -> Any:
    return Dictionary(tuple(map(_pair, node.keys, node.values)))


def _pair(key: ast.AST, value: ast.AST) -> Pair:
    return Pair(read_expression(key), read_expression(value))


def _sequence(brackets: str) -> Callable[[Any], Any]:
    return lambda node: Sequence(tuple(map(read_expression, node.elts)), brackets)


EXPRESSIONS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.Name: lambda node: name(node.id),
    ast.Constant: lambda node: constant(node.value),
    ast.Attribute: lambda node: Dot(read_expression(node.value), node.attr),
    ast.Call: lambda node: Call(read_expression(node.func), tuple(_arguments(node))),
    ast.BinOp: lambda node: Binary(
        read_expression(node.left), SIGNS[type(node.op)], read_expression(node.right)
    ),
    ast.BoolOp: _bool,
    ast.Compare: _compare,
    ast.UnaryOp: lambda node: Unary(SIGNS[type(node.op)], read_expression(node.operand)),
    ast.IfExp: lambda node: Choice(*map(read_expression, (node.body, node.test, node.orelse))),
    ast.Tuple: _sequence("()"),
    ast.List: _sequence("[]"),
    ast.Set: _sequence("{}"),
    ast.Dict: _dictionary,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Starred: lambda node: Argument(read_expression(node.value), "", "*"),
    ast.JoinedStr: _format,
    ast.GeneratorExp: _generator("()"),
    ast.ListComp: _generator("[]"),
    ast.SetComp: _generator("{}"),
    ast.DictComp: _generator("{}"),
}


def read_expression(node: ast.AST) -> Any:
    """The tree of a parsed expression. Raises KeyError for syntax without a node type."""
    return EXPRESSIONS[type(node)](node)


def read_target(node: ast.AST) -> Any:
    """The target of an assignment; a tuple has no parentheses there."""
    found = read_expression(node)
    return Sequence(found.items, "") if isinstance(found, Sequence) else found
