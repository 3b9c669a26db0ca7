"""The vocabulary of emitted programs: expressions and statements of Python, as data.

Nodes are immutable and compare by what they say, so two classes are one where their trees are
equal. `ops` are the numbers of the graph's ops that a node was written for. They tell the source
map where a line comes from and are no part of the comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

Ops = frozenset[int]
NO_OPS: Ops = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a program."""

    ops: Ops = field(default=NO_OPS, compare=False, repr=False)


# -- expressions


@dataclass(frozen=True, slots=True)
class Name(Node):
    id: str


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, None, True, False or `...`, and how it is written (1 is not 1.0)."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Dot(Node):
    """`of.name`."""

    of: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """An argument of a call: by position, by `name=`, or unpacked with `*` or `**`."""

    value: Expr
    name: str = ""
    stars: str = ""


@dataclass(frozen=True, slots=True)
class Call(Node):
    of: Expr
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left sign right`; chains such as `a + b + c` lean to the left."""

    left: Expr
    sign: str
    right: Expr


@dataclass(frozen=True, slots=True)
class Unary(Node):
    sign: str  # -, ~ or not
    of: Expr


@dataclass(frozen=True, slots=True)
class Bracketed(Node):
    """An expression in brackets that help the reader and that Python does not need."""

    of: Expr


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`then if test else other`."""

    then: Expr
    test: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """A tuple, a list or a set; without brackets, a tuple such as `a, b`."""

    items: tuple[Expr, ...]
    brackets: str = "()"


@dataclass(frozen=True, slots=True)
class Pair(Node):
    """One entry of a dictionary."""

    key: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Dictionary(Node):
    items: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`of[keys]`."""

    of: Expr
    keys: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Slice(Node):
    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@dataclass(frozen=True, slots=True)
class Format(Node):
    """An f-string; its parts are texts and expressions."""

    parts: tuple[str | Expr, ...]


@dataclass(frozen=True, slots=True)
class Adjacent(Node):
    """Strings one behind the other, which Python joins: a long one over several lines."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Generator(Node):
    """`value for target in over if test`."""

    value: Expr
    target: Expr
    over: Expr
    test: Expr | None = None
    brackets: str = ""  # "" for the only argument of a call


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
    | Adjacent
    | Generator
)


# -- statements


@dataclass(frozen=True, slots=True)
class Set(Node):
    """`target = value`, with an annotation in a class; `note` is the comment behind it.

    `also` are the further targets of `target = also = value`.
    """

    target: Expr
    value: Expr | None
    note: str = ""
    annotation: Expr | None = None
    also: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Update(Node):
    """`target sign= value`."""

    target: Expr
    sign: str
    value: Expr
    note: str = ""


@dataclass(frozen=True, slots=True)
class Do(Node):
    """An expression for its effect."""

    value: Expr
    note: str = ""


@dataclass(frozen=True, slots=True)
class Return(Node):
    value: Expr
    note: str = ""


@dataclass(frozen=True, slots=True)
class Raise(Node):
    value: Expr
    note: str = ""


@dataclass(frozen=True, slots=True)
class Word(Node):
    """`break`, `pass` or `continue`."""

    word: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """A comment on a line of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class If(Node):
    test: Expr
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class For(Node):
    target: Expr
    over: Expr
    body: tuple[Statement, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a function; the name `*` separates those that are given by name only."""

    name: str
    annotation: Expr | None = None
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class Function(Node):
    """`def name(parameters) -> result:`; the docstring holds the lines of its text."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Expr
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Class(Node):
    name: str
    bases: tuple[Expr, ...]
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Copied(Node):
    """A function or a class of the runtime, copied into the file as it stands there.

    `needs` are the names outside of it that it uses, `fields` those of the Config that it reads,
    `notes` its comments and docstrings.
    """

    name: str
    text: str
    needs: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


Statement = (
    Set | Update | Do | Return | Raise | Word | Comment | If | For | Function | Class | Copied
)


# -- walking and changing


TEXTS = {"ops", "id", "name", "sign", "brackets", "stars", "note", "doc", "word", "text"}
TEXTS |= {"needs", "fields", "notes"}
_PARTS: dict[Any, tuple[str, ...]] = {}


def parts_of(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of node that may hold other nodes."""
    if kind not in _PARTS:
        _PARTS[kind] = tuple(f.name for f in fields(kind) if f.name not in TEXTS)
    return _PARTS[kind]


def walk(*found: Any) -> Iterator[Node]:
    """These nodes and all that stand in them, from left to right."""
    waiting = list(reversed(found))
    while waiting:
        part = waiting.pop()
        if isinstance(part, Node):
            yield part
            waiting += [getattr(part, name) for name in reversed(parts_of(type(part)))]
        elif type(part) is tuple:
            waiting += reversed(part)


def ops_in(*found: Any) -> Ops:
    """All ops that these nodes were written for."""
    ops = [node.ops for node in walk(*found) if node.ops]
    return NO_OPS.union(*ops) if ops else NO_OPS


def for_op(node: Any, number: int) -> Any:
    """The node, written for one op more."""
    return replace(node, ops=node.ops | {number})


def change(part: Any, changes: dict[Any, Any]) -> Any:
    """The tree with some of its nodes exchanged for others, the outermost first."""
    if type(part) is tuple:
        made = tuple([change(item, changes) for item in part])
        return part if all(a is b for a, b in zip(made, part, strict=True)) else made
    if not isinstance(part, Node):
        return part
    if type(part) in (Name, Dot, Slice) and part in changes:
        return changes[part]
    fresh = {}
    for name in parts_of(type(part)):
        old = getattr(part, name)
        if isinstance(old, (Node, tuple)):
            new = change(old, changes)
            if new is not old:
                fresh[name] = new
    return replace(part, **fresh) if fresh else part


def union(first: Any, second: Any) -> Any:
    """Two equal trees as one that was written for the ops of both."""
    if isinstance(first, Node):
        own = {
            name: union(getattr(first, name), getattr(second, name))
            for name in parts_of(type(first))
        }
        return replace(first, **own, ops=first.ops | second.ops)
    if type(first) is tuple:
        return tuple(union(a, b) for a, b in zip(first, second, strict=True))
    return first
