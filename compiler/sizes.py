"""Symbolic sizes: a `Size` behaves like an int and stores the expression that computed it.

>>> d_model = Size.of(Field("d_model", 768))
>>> (3 * d_model).code(), int(3 * d_model)
('3 * d_model', 2304)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Union

Number = int | float | bool
Node = Union["Field", int, tuple[str, "Node", "Node"]]
BINDING = {"+": 1, "-": 1, "*": 2, "//": 2, "**": 3}


@dataclass(eq=False)
class Field:
    """A number of the spec that is a field of the emitted `Config`.

    key: its key in the spec (`d_model`)
    name: its name in the emitted file, which differs only if two parts of a model have different
        values (`local_window`)
    origin: its path in the spec
    places: all paths that use the field
    """

    key: str
    value: Number | str | tuple[float, ...]
    origin: tuple[Any, ...] = ()
    context: tuple[str, ...] = ()
    name: str = ""
    comment: str = field(default="", repr=False)  # how the number is derived from others
    places: dict[tuple[Any, ...], None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.name = self.name or self.key


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

    def _join(self, operator: str, other: int, value: int, *, swapped: bool = False) -> Size:
        left, right = self.tree, Size.of(other).tree
        if swapped:
            left, right = right, left
        return Size.make(value, (operator, left, right))

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) * other
        if other == 1:
            return self
        whole = _whole(self, other)
        return whole or self._join("*", other, int(self) * int(other))

    def __rmul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return other * int(self)
        if other == 1:
            return self
        return self._join("*", other, int(self) * int(other), swapped=True)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) + other
        return self if other == 0 else self._join("+", other, int(self) + int(other))

    def __floordiv__(self, other: Any) -> Any:
        """The exact quotient. Raises IndivisibleError if it is not whole; `floor` rounds down."""
        if isinstance(other, int) and int(self) % int(other):
            raise IndivisibleError(self, Size.of(other))
        return self.floor(other)

    def floor(self, other: Any) -> Any:
        """The quotient, rounded down, as for patches of an image."""
        if not isinstance(other, int):
            return int(self) // other
        return self if other == 1 else self._join("//", other, int(self) // int(other))

    def __sub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return int(self) - other
        return self if other == 0 else self._join("-", other, int(self) - int(other))

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return self if other == 1 else self._join("**", other, int(self) ** int(other))

    def code(self, prefix: str = "") -> str:
        """The expression as Python source, with `prefix` before each field."""
        return _code(self.tree, prefix)[0]

    def fields(self) -> list[Field]:
        return _fields(self.tree)

    def __deepcopy__(self, memo: dict[int, Any]) -> Size:
        return self


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
    operator, dividend, divisor = right.tree
    if operator == "//" and divisor is left.tree and isinstance(dividend, Field):
        size = Size.of(dividend)
        return size if int(size) == int(left) * int(right) else None
    return None


def _code(tree: Node, prefix: str) -> tuple[str, int]:
    if isinstance(tree, Field):
        return prefix + tree.name, 9
    if isinstance(tree, int):
        return str(int(tree)), 9
    operator, left, right = tree
    binding = BINDING[operator]
    texts = []
    for side, part in enumerate((left, right)):
        text, tightness = _code(part, prefix)
        loose = tightness < binding or (tightness == binding and side == 1)
        texts.append(f"({text})" if loose else text)
    return f"{texts[0]} {operator} {texts[1]}", binding


def _fields(tree: Node) -> list[Field]:
    if isinstance(tree, Field):
        return [tree]
    if isinstance(tree, int):
        return []
    return _fields(tree[1]) + _fields(tree[2])


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
