"""Symbolic sizes: a `Size` behaves like an int and stores the expression that computed it.

>>> d_model = Size.of(Field("d_model", 768))
>>> (3 * d_model).code(), int(3 * d_model)
('3 * d_model', 2304)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

Number = int | float | bool
Node = Union["Field", int, tuple[str, "Node", "Node"]]
Term = Union["Field", float, str, tuple[Any, ...]]
"""As `Node`, with floats, names of steps, and calls of functions with one argument or two."""
BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "floor": 2, "**": 3}
SIGNS = {"floor": "//"}
"""`//` is an exact quotient and `floor` one that is rounded down; both are written `//`."""


@dataclass(eq=False)
class Field:
    """A number of the spec that is a field of the emitted `Config`.

    key: its key in the spec (`d_model`)
    name: its name in the emitted file, which differs only if two parts of a model have different
        values (`local_window`)
    origin: its path in the spec
    places: all paths that use the field
    at: its path within `origin`
    least: the smallest value of an integer

    A number with a `formula` follows from other fields: in the emitted file it is a property of the
    Config, and nobody can set it.
    """

    key: str
    value: Number | str | tuple[float, ...]
    origin: tuple[Any, ...] = ()
    context: tuple[str, ...] = ()
    name: str = ""
    comment: str = field(default="", repr=False)
    at: tuple[Any, ...] = field(default=(), repr=False)  # where it stands below `origin`
    least: int = field(default=1, repr=False)  # of an integer
    formula: Formula | None = field(default=None, repr=False)
    places: dict[tuple[Any, ...], None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.name = self.name or self.key


@dataclass(frozen=True, eq=False)
class Formula:
    """How a number follows from fields of the Config.

    title: what it is, and who published it; a docstring
    steps: names of numbers on the way, and how each is computed from fields and steps before it
    result: how the number is computed from fields and steps
    """

    title: str
    steps: tuple[tuple[str, Term], ...]
    result: Term

    def terms(self) -> tuple[Term, ...]:
        return (*(term for _, term in self.steps), self.result)

    def fields(self) -> list[Field]:
        """The fields that the number follows from."""
        return [found for term in self.terms() for found in fields_of(term)]

    def code(self) -> str:
        """The computation as text, in which equal ones of the same fields are equal."""
        return "; ".join(code_of(term) for term in self.terms())


class Size(int):
    """A positive int with its expression."""

    tree: Node

    @classmethod
    def make(cls, value: int, tree: Node) -> Size:
        size = cls(value)
        size.tree = tree
        return size

    @classmethod
    def of(cls, source: Field | int | Size) -> Size:
        if isinstance(source, Size):
            return source
        if isinstance(source, Field):
            assert isinstance(source.value, int)
            return cls.make(source.value, source)
        return cls.make(source, source)

    def _join(self, sign: str, other: int, value: int, *, swapped: bool = False) -> Size:
        left, right = self.tree, Size.of(other).tree
        if swapped:
            left, right = right, left
        return Size.make(value, (sign, left, right))

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) * other
        if _is(other, 1):
            return self
        whole = _whole(self, other)
        return whole or self._join("*", other, int(self) * int(other))

    def __rmul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return other * int(self)
        if _is(other, 1):
            return self
        return self._join("*", other, int(self) * int(other), swapped=True)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) + other
        return self if _is(other, 0) else self._join("+", other, int(self) + int(other))

    def __floordiv__(self, other: Any) -> Any:
        """The exact quotient. Raises IndivisibleError if it is not whole; `floor` rounds down."""
        if isinstance(other, int) and int(self) % int(other):
            raise IndivisibleError(self, Size.of(other))
        if _is(other, 1) or not isinstance(other, int):
            return self.floor(other)
        return self._join("//", other, int(self) // int(other))

    def floor(self, other: Any) -> Any:
        """The quotient, rounded down, as for patches of an image."""
        if not isinstance(other, int):
            return int(self) // other
        return self if _is(other, 1) else self._join("floor", other, int(self) // int(other))

    def __sub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) - other
        return self if _is(other, 0) else self._join("-", other, int(self) - int(other))

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return self if _is(other, 1) else self._join("**", other, int(self) ** int(other))

    def code(self, prefix: str = "") -> str:
        """The expression as Python source, with `prefix` before each field."""
        return code_of(self.tree, prefix)

    def fields(self) -> list[Field]:
        return fields_of(self.tree)

    def __deepcopy__(self, memo: dict[int, Any]) -> Size:
        return self


def _is(other: int, neutral: int) -> bool:
    """Whether it is this number for every Config: fields of the Config may change."""
    return other == neutral and not (isinstance(other, Size) and other.fields())


class IndivisibleError(ArithmeticError):
    """A size is not a multiple of another one."""

    def __init__(self, dividend: Size, divisor: Size) -> None:
        super().__init__(
            f"{_described(dividend)} must be a multiple of {_described(divisor)}; change one"
        )
        self.dividend, self.divisor = dividend, divisor


def _described(size: Size) -> str:
    """`d_model (768)`; plain numbers unchanged."""
    return f"{size.code()} ({int(size)})" if size.fields() else str(int(size))


def _whole(left: Size, right: int) -> Size | None:
    """Simplify `heads * (d_model // heads)` to `d_model`."""
    if not isinstance(right, Size) or not isinstance(right.tree, tuple):
        return None
    sign, dividend, divisor = right.tree
    if sign == "//" and divisor is left.tree and isinstance(dividend, Field):
        size = Size.of(dividend)
        return size if int(size) == int(left) * int(right) else None
    return None


def code_of(tree: Term, prefix: str = "") -> str:
    """A term as Python text, each field written with `prefix` in front."""
    return _code(tree, prefix)[0]


def _code(tree: Term, prefix: str) -> tuple[str, int]:
    if isinstance(tree, Field):
        return prefix + tree.name, 9
    if isinstance(tree, (int, float)):
        return repr(tree + 0), 9
    if isinstance(tree, str):
        return tree, 9
    if tree[0] not in BINDING:
        return f"{tree[0]}({', '.join(code_of(part, prefix) for part in tree[1:])})", 9
    sign, left, right = tree
    binding = BINDING[sign]
    texts = []
    for side, part in enumerate((left, right)):
        text, tightness = _code(part, prefix)
        loose = tightness < binding or (tightness == binding and side == 1)
        texts.append(f"({text})" if loose else text)
    return f"{texts[0]} {SIGNS.get(sign, sign)} {texts[1]}", binding


def fields_of(tree: Term) -> list[Field]:
    """The fields of the Config in a term, in order."""
    if isinstance(tree, Field):
        return [tree]
    parts = tree[1:] if isinstance(tree, tuple) else ()
    return [found for part in parts for found in fields_of(part)]


class InverseRoot(float):
    """1 / sqrt(times * width), an attention scale with its expression."""

    times: int
    width: Size

    @classmethod
    def of(cls, times: int, width: Size) -> InverseRoot:
        root = cls((times * int(width)) ** -0.5)
        root.times, root.width = times, width
        return root

    def __deepcopy__(self, memo: dict[int, Any]) -> InverseRoot:
        return self


def number(value: Any) -> Any:
    """The plain number of a `Field`, a `Size` or a number."""
    if isinstance(value, Field):
        return value.value
    return int(value) if isinstance(value, Size) else value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "floor": operator.floordiv,
    "**": operator.pow,
    "max": max,
    "len": len,
    "math.log": math.log,
    "math.sqrt": math.sqrt,
}


def value_of(tree: Term) -> Any:
    """The number that a term without names of steps comes to."""
    if isinstance(tree, tuple):
        return FUNCTIONS[tree[0]](*map(value_of, tree[1:]))
    return number(tree)
