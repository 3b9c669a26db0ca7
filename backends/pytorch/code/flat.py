"""Expressions on one line, with parentheses where precedence requires them."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import copysign
from typing import Any

from .nodes import (
    Adjacent,
    Argument,
    Binary,
    Bracketed,
    Call,
    Choice,
    Dictionary,
    Dot,
    Entered,
    Format,
    Generator,
    Index,
    Labelled,
    Literal,
    Loop,
    Name,
    Pair,
    Slice,
    Unary,
)
from .nodes import Sequence as Items

ATOM, POWER, UNARY, PRODUCT, SUM, BITAND, BITXOR, BITOR, COMPARE, NOT, AND, OR, CHOICE = range(
    13, 0, -1
)
BINDING = {
    "**": POWER,
    **dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT),
    **dict.fromkeys(("+", "-"), SUM),
    "&": BITAND,
    "^": BITXOR,
    "|": BITOR,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"), COMPARE),
    "and": AND,
    "or": OR,
}
UNARIES = {"-": UNARY, "~": UNARY, "not ": NOT}


LOOSE = {Literal, Binary, Unary, Choice}
"""The kinds of expressions that may have to be in parentheses."""


def binding(e: Any) -> int:
    """Precedence of an expression."""
    kind = type(e)
    if kind is Literal and type(e.value) in (int, float) and copysign(1, e.value) < 0:
        return UNARY
    if kind is Binary:
        return BINDING[e.sign]
    if kind is Unary:
        return UNARIES[e.sign]
    return CHOICE if kind is Choice else ATOM


def flat(e: Any, want: int = 0) -> str:
    """An expression on one line, in parentheses if its precedence is too low."""
    kind = type(e)
    if kind is Name:  # half of all
        name: str = e.id
        return name
    if kind is Dot and type(e.of) is Name:
        return f"{e.of.id}.{e.name}"
    text = FLAT[kind](e)
    return f"({text})" if want > CHOICE and kind in LOOSE and binding(e) < want else text


def _binary(e: Binary) -> str:
    bind = BINDING[e.sign]
    if e.sign == "**":  # no spaces around ** of simple operands
        sign = "**" if is_simple(e.left) and is_simple(e.right) else " ** "
        return f"{flat(e.left, bind + 1)}{sign}{flat(e.right, UNARY)}"
    return f"{flat(e.left, bind)} {e.sign} {flat(e.right, bind + 1)}"


def is_simple(e: Any) -> bool:
    while type(e) in (Dot, Unary):
        e = e.of
    return type(e) in (Name, Literal)


def _index(e: Index) -> str:
    return f"{flat(e.of, ATOM)}[{keys_in(e)}]"


def keys_in(e: Index) -> str:
    """Keys of an index; slices with compound ends have spaces around the colon."""
    ends = [end for key in e.keys if type(key) is Slice for end in (key.start, key.stop) if end]
    wide = any(not _short(end) for end in ends)
    return ", ".join([_slice(k, wide) if type(k) is Slice else flat(k) for k in e.keys])


def _short(e: Any) -> bool:
    return type(e) in (Name, Literal) or (type(e) is Unary and type(e.of) in (Name, Literal))


def _slice(e: Slice, wide: bool = False) -> str:
    start, stop = (flat(end) if end is not None else "" for end in (e.start, e.stop))
    before, after = (" " if wide and end else "" for end in (start, stop))
    return f"{start}{before}:{after}{stop}" + (f":{flat(e.step)}" if e.step is not None else "")


def items_in(e: Items | Dictionary) -> str:
    """The text between the brackets."""
    alone = type(e) is Items and len(e.items) == 1 and e.brackets in ("", "()")
    return ", ".join([flat(item) for item in e.items]) + ("," if alone else "")


def arguments_in(e: Call) -> str:
    """The text between the parentheses of a call."""
    return ", ".join([argument(a) for a in e.arguments])


def _format(e: Format) -> str:
    parts = [_escaped(part) if isinstance(part, str) else f"{{{flat(part)}}}" for part in e.parts]
    return 'f"' + "".join(parts) + '"'


def _escaped(text: str) -> str:
    """A literal part of an f-string, escaped."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    return json.dumps(doubled, ensure_ascii=False)[1:-1]


def _loop(e: Loop) -> str:
    test = f" if {flat(e.test)}" if e.test is not None else ""
    return f" for {flat(e.target)} in {flat(e.over)}{test}"


def _generator(e: Generator) -> str:
    text = flat(e.value) + "".join([_loop(loop) for loop in e.loops])
    return f"{e.brackets[:1]}{text}{e.brackets[1:]}"


def _dot(e: Dot) -> str:
    """An attribute; a number before the dot needs parentheses."""
    number = type(e.of) is Literal and not isinstance(e.of.value, str)
    return f"({flat(e.of)}).{e.name}" if number else f"{flat(e.of, ATOM)}.{e.name}"


def argument(e: Argument) -> str:
    return f"{e.name}={flat(e.value)}" if e.name else e.stars + flat(e.value)


FLAT: dict[type[Any], Callable[[Any], str]] = {
    Name: lambda e: e.id,
    Literal: lambda e: e.text,
    Dot: _dot,
    Argument: argument,
    Call: lambda e: f"{flat(e.of, ATOM)}({arguments_in(e)})",
    Binary: _binary,
    Unary: lambda e: f"{e.sign}{flat(e.of, UNARIES[e.sign])}",
    Bracketed: lambda e: f"({flat(e.of)})",
    Choice: lambda e: f"{flat(e.then, OR)} if {flat(e.test, OR)} else {flat(e.other, CHOICE)}",
    Items: lambda e: f"{e.brackets[:1]}{items_in(e)}{e.brackets[1:]}",
    Pair: lambda e: f"{flat(e.key)}: {flat(e.value)}",
    Dictionary: lambda e: f"{{{items_in(e)}}}",
    Index: _index,
    Slice: _slice,
    Format: _format,
    Labelled: lambda e: f"{flat(e.value)}=",
    Adjacent: lambda e: " ".join([flat(item) for item in e.items]),
    Generator: _generator,
    Entered: lambda e: flat(e.of) + (f" as {flat(e.target)}" if e.target is not None else ""),
}
