"""Syntax tree of emitted programs: expressions and statements of Python.

Nodes are immutable and compared by value; classes with equal trees are merged. The `origins` of a
node, for source maps, are numbers of ops, paths of scopes, and paths of spec values as tuples.
Comparison ignores them.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from ....records import record

Origin = int | str | tuple[Any, ...]
Origins = frozenset[Any]
NOWHERE: Origins = frozenset()


@record(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a program."""

    origins: Origins = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        raise TypeError("nodes have no text; print them with code/show.py")


# -- expressions


@record(frozen=True, slots=True)
class Name(Node):
    id: str


@record(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, None, True, False or `...`, with its spelling (1 is not 1.0)."""

    value: Any
    text: str


@record(frozen=True, slots=True)
class Dot(Node):
    """`of.name`."""

    of: Expr
    name: str


@record(frozen=True, slots=True)
class Argument(Node):
    """An argument of a call: by position, by `name=`, or unpacked with `*` or `**`."""

    value: Expr
    name: str = ""
    stars: str = ""


@record(frozen=True, slots=True)
class Call(Node):
    of: Expr
    arguments: tuple[Argument, ...] = ()


@record(frozen=True, slots=True)
class Binary(Node):
    """`left sign right`; chains such as `a + b + c` are left-associative."""

    left: Expr
    sign: str
    right: Expr


@record(frozen=True, slots=True)
class Unary(Node):
    sign: str  # -, ~ or not
    of: Expr


@record(frozen=True, slots=True)
class Bracketed(Node):
    """An expression in parentheses that are only for readability."""

    of: Expr


@record(frozen=True, slots=True)
class Choice(Node):
    """`then if test else other`."""

    then: Expr
    test: Expr
    other: Expr


@record(frozen=True, slots=True)
class Sequence(Node):
    """A tuple, a list or a set; without brackets: a tuple such as `a, b`.

    An item `*a` is an argument, as in a call.
    """

    items: tuple[Expr | Argument, ...]
    brackets: str = "()"


@record(frozen=True, slots=True)
class Pair(Node):
    """One entry of a dictionary."""

    key: Expr
    value: Expr


@record(frozen=True, slots=True)
class Dictionary(Node):
    items: tuple[Pair, ...]


@record(frozen=True, slots=True)
class Index(Node):
    """`of[keys]`."""

    of: Expr
    keys: tuple[Expr, ...]


@record(frozen=True, slots=True)
class Slice(Node):
    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@record(frozen=True, slots=True)
class Format(Node):
    """An f-string; its parts are strings and expressions."""

    parts: tuple[str | Expr, ...]


@record(frozen=True, slots=True)
class Labelled(Node):
    """`{value=}` in an f-string: the expression, an equals sign, and its value."""

    value: Expr


@record(frozen=True, slots=True)
class Adjacent(Node):
    """Adjacent string literals, which Python concatenates."""

    items: tuple[Expr, ...]


@record(frozen=True, slots=True)
class Loop(Node):
    """`for target in over if test` in a generator, behind another one."""

    target: Expr
    over: Expr
    test: Expr | None = None


@record(frozen=True, slots=True)
class Generator(Node):
    """`value for target in over if test`; of a dictionary, the value is a pair.

    `inner` are the loops within the first one.
    """

    value: Expr | Pair
    target: Expr
    over: Expr
    test: Expr | None = None
    brackets: str = ""  # no brackets for the only argument of a call
    inner: tuple[Loop, ...] = ()

    @property
    def loops(self) -> tuple[Loop, ...]:
        return Loop(self.target, self.over, self.test), *self.inner


Expr = (
    Name
    | Literal
    | Dot
    | Call
    | Binary
    | Unary
    | Bracketed
    | Choice
    | Sequence
    | Dictionary
    | Index
    | Slice
    | Format
    | Labelled
    | Adjacent
    | Generator
)


# -- statements


@record(frozen=True, slots=True)
class Set(Node):
    """`target = value`, with an annotation in a class; `note` is the comment behind it.

    `also` contains the further targets of `target = also = value`.
    """

    target: Expr
    value: Expr | None
    note: str = ""
    annotation: Expr | None = None
    also: tuple[Expr, ...] = ()


@record(frozen=True, slots=True)
class Update(Node):
    """`target sign= value`."""

    target: Expr
    sign: str
    value: Expr
    note: str = ""


@record(frozen=True, slots=True)
class Do(Node):
    """An expression statement."""

    value: Expr
    note: str = ""


@record(frozen=True, slots=True)
class Return(Node):
    value: Expr
    note: str = ""


@record(frozen=True, slots=True)
class Raise(Node):
    value: Expr
    note: str = ""


@record(frozen=True, slots=True)
class Word(Node):
    """`break`, `pass` or `continue`."""

    word: str
    note: str = ""


@record(frozen=True, slots=True)
class Comment(Node):
    """A comment on a line of its own."""

    text: str


@record(frozen=True, slots=True)
class If(Node):
    test: Expr
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()
    note: str = ""


@record(frozen=True, slots=True)
class For(Node):
    target: Expr
    over: Expr
    body: tuple[Statement, ...]
    note: str = ""


@record(frozen=True, slots=True)
class Entered(Node):
    """`of as target`, or only `of`, after `with`."""

    of: Expr
    target: Expr | None = None


@record(frozen=True, slots=True)
class With(Node):
    """`with of as target: body`."""

    items: tuple[Entered, ...]
    body: tuple[Statement, ...]
    note: str = ""


@record(frozen=True, slots=True)
class Try(Node):
    """`try: body`, `finally: final`."""

    body: tuple[Statement, ...]
    final: tuple[Statement, ...]


@record(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a function; the name `*` precedes keyword-only parameters.

    `stars` stand before one that takes all further arguments.
    """

    name: str
    annotation: Expr | None = None
    default: Expr | None = None
    stars: str = ""


@record(frozen=True, slots=True)
class Function(Node):
    """`def name(parameters) -> result:`; `docstring` is a tuple of lines."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Expr
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@record(frozen=True, slots=True)
class Class(Node):
    name: str
    bases: tuple[Expr, ...]
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@record(frozen=True, slots=True)
class Copied(Node):
    """A function or class of the runtime, copied into the file unchanged.

    needs: global names that it uses
    fields: fields of the Config that it reads
    notes: its comments and docstrings
    """

    name: str
    text: str
    needs: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


Statement = (
    Set
    | Update
    | Do
    | Return
    | Raise
    | Word
    | Comment
    | If
    | For
    | With
    | Try
    | Function
    | Class
    | Copied
)
