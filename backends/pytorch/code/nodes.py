"""Syntax tree of emitted programs: expressions and statements of Python.

Nodes are immutable and compared by value; classes with equal trees are merged. `origins` say where
a
node comes from, for source maps: the number of an op, the path of a scope, or the path of a spec
value as a tuple. Comparison ignores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as tree_node
else:

    def tree_node(*, frozen: bool, slots: bool, kw_only: bool = False):
        """A dataclass that is immutable for type checkers; `frozen=True` would take a tenth of the
            time of
        emitting a file."""
        return dataclass(unsafe_hash=frozen, slots=slots, kw_only=kw_only)


Origin = int | str | tuple[Any, ...]
Origins = frozenset[Any]
NOWHERE: Origins = frozenset()


@tree_node(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a program."""

    origins: Origins = field(default=NOWHERE, compare=False, repr=False)


# -- expressions


@tree_node(frozen=True, slots=True)
class Name(Node):
    id: str


@tree_node(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, None, True, False or `...`, with its spelling (1 is not 1.0)."""

    value: Any
    text: str


@tree_node(frozen=True, slots=True)
class Dot(Node):
    """`of.name`."""

    of: Expr
    name: str


@tree_node(frozen=True, slots=True)
class Argument(Node):
    """An argument of a call: by position, by `name=`, or unpacked with `*` or `**`."""

    value: Expr
    name: str = ""
    stars: str = ""


@tree_node(frozen=True, slots=True)
class Call(Node):
    of: Expr
    arguments: tuple[Argument, ...] = ()


@tree_node(frozen=True, slots=True)
class Binary(Node):
    """`left sign right`; chains such as `a + b + c` are left-associative."""

    left: Expr
    sign: str
    right: Expr


@tree_node(frozen=True, slots=True)
class Unary(Node):
    sign: str  # -, ~ or not
    of: Expr


@tree_node(frozen=True, slots=True)
class Bracketed(Node):
    """An expression in parentheses that are only for readability."""

    of: Expr


@tree_node(frozen=True, slots=True)
class Choice(Node):
    """`then if test else other`."""

    then: Expr
    test: Expr
    other: Expr


@tree_node(frozen=True, slots=True)
class Sequence(Node):
    """A tuple, a list or a set; without brackets: a tuple such as `a, b`."""

    items: tuple[Expr, ...]
    brackets: str = "()"


@tree_node(frozen=True, slots=True)
class Pair(Node):
    """One entry of a dictionary."""

    key: Expr
    value: Expr


@tree_node(frozen=True, slots=True)
class Dictionary(Node):
    items: tuple[Pair, ...]


@tree_node(frozen=True, slots=True)
class Index(Node):
    """`of[keys]`."""

    of: Expr
    keys: tuple[Expr, ...]


@tree_node(frozen=True, slots=True)
class Slice(Node):
    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@tree_node(frozen=True, slots=True)
class Format(Node):
    """An f-string; its parts are strings and expressions."""

    parts: tuple[str | Expr, ...]


@tree_node(frozen=True, slots=True)
class Adjacent(Node):
    """Adjacent string literals, which Python concatenates."""

    items: tuple[Expr, ...]


@tree_node(frozen=True, slots=True)
class Generator(Node):
    """`value for target in over if test`."""

    value: Expr
    target: Expr
    over: Expr
    test: Expr | None = None
    brackets: str = ""  # no brackets for the only argument of a call


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


@tree_node(frozen=True, slots=True)
class Set(Node):
    """`target = value`, with an annotation in a class; `note` is the comment behind it.

    `also` contains the further targets of `target = also = value`.
    """

    target: Expr
    value: Expr | None
    note: str = ""
    annotation: Expr | None = None
    also: tuple[Expr, ...] = ()


@tree_node(frozen=True, slots=True)
class Update(Node):
    """`target sign= value`."""

    target: Expr
    sign: str
    value: Expr
    note: str = ""


@tree_node(frozen=True, slots=True)
class Do(Node):
    """An expression statement."""

    value: Expr
    note: str = ""


@tree_node(frozen=True, slots=True)
class Return(Node):
    value: Expr
    note: str = ""


@tree_node(frozen=True, slots=True)
class Raise(Node):
    value: Expr
    note: str = ""


@tree_node(frozen=True, slots=True)
class Word(Node):
    """`break`, `pass` or `continue`."""

    word: str
    note: str = ""


@tree_node(frozen=True, slots=True)
class Comment(Node):
    """A comment on a line of its own."""

    text: str


@tree_node(frozen=True, slots=True)
class If(Node):
    test: Expr
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()
    note: str = ""


@tree_node(frozen=True, slots=True)
class For(Node):
    target: Expr
    over: Expr
    body: tuple[Statement, ...]
    note: str = ""


@tree_node(frozen=True, slots=True)
class Try(Node):
    """`try: body`, `finally: final`."""

    body: tuple[Statement, ...]
    final: tuple[Statement, ...]


@tree_node(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a function; the name `*` precedes keyword-only parameters."""

    name: str
    annotation: Expr | None = None
    default: Expr | None = None


@tree_node(frozen=True, slots=True)
class Function(Node):
    """`def name(parameters) -> result:`; `docstring` is a tuple of lines."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Expr
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@tree_node(frozen=True, slots=True)
class Class(Node):
    name: str
    bases: tuple[Expr, ...]
    body: tuple[Statement, ...]
    doc: str = ""
    decorators: tuple[Expr, ...] = ()


@tree_node(frozen=True, slots=True)
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
    Set | Update | Do | Return | Raise | Word | Comment | If | For | Try | Function | Class | Copied
)


# -- walking and changing

KINDS: tuple[Any, ...] = (
    *(Name, Literal, Dot, Argument, Call, Binary, Unary, Bracketed, Choice, Sequence, Pair),
    *(Dictionary, Index, Slice, Format, Adjacent, Generator, Set, Update, Do, Return, Raise, Word),
    *(Comment, If, For, Try, Parameter, Function, Class, Copied),
)
TEXTS = {"origins", "id", "name", "sign", "brackets", "stars", "note", "doc", "word", "text"}
TEXTS |= {"needs", "fields", "notes"}
PARTS = {kind: tuple(f.name for f in fields(kind) if f.name not in TEXTS) for kind in KINDS}
"""The fields of each node type that may contain nodes."""
PARTS[Literal] = ()


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda node: (getattr(node, names[0]),)) if names else lambda node: ()


CHILDREN = {kind: _values(names) for kind, names in PARTS.items()}
FIELDS = {kind: tuple(f.name for f in fields(kind) if f.name != "origins") for kind in KINDS}
VALUES = {kind: _values(names) for kind, names in FIELDS.items()}


def walk(*found: Any) -> Iterator[Any]:
    """These nodes and all descendants, in arbitrary order."""
    waiting = list(found)
    while waiting:
        part = waiting.pop()
        if type(part) is tuple:
            waiting.extend(part)
        elif type(part) in CHILDREN:
            yield part
            waiting.extend(CHILDREN[type(part)](part))


def origins_in(*found: Any) -> Origins:
    """The origins of these nodes and all descendants."""
    origins = [node.origins for node in walk(*found) if node.origins]
    return NOWHERE.union(*origins) if origins else NOWHERE


def written_for(node: Any, *origins: Origin) -> Any:
    """The node with additional origins."""
    kind = type(node)
    return kind(*VALUES[kind](node), origins=node.origins.union(origins))


def change(part: Any, changes: dict[Any, Any]) -> Any:
    """Replace nodes of a tree, outermost first."""
    by_kind: dict[type, list[tuple[Any, Any]]] = {}
    for old, new in changes.items():
        by_kind.setdefault(type(old), []).append((old, new))

    def exchange(node: Any) -> Any:
        return next((new for old, new in by_kind.get(type(node), ()) if old == node), None)

    return rebuilt(part, exchange)


def rebuilt(part: Any, exchange: Callable[[Any], Any]) -> Any:
    """Replace each node by the result of `exchange`; None keeps a node.

    Unchanged subtrees are the same objects as before.
    """
    kind = type(part)
    if kind is tuple:
        items = [rebuilt(item, exchange) for item in part]
        return part if all(map(is_, items, part)) else tuple(items)
    if kind not in FIELDS:
        return part
    new = exchange(part)
    if new is not None:
        return new
    inner = CHILDREN[kind](part)
    made = [rebuilt(item, exchange) for item in inner]
    if all(map(is_, made, inner)):
        return part
    values = dict(zip(PARTS[kind], made, strict=True))
    return kind(
        *[values[n] if n in values else getattr(part, n) for n in FIELDS[kind]],
        origins=part.origins,
    )


def union(first: Any, second: Any) -> Any:
    """The first tree, with the origins of the second added where both are equal."""
    kind = type(first)
    if kind is not type(second):
        return first
    if kind is tuple and len(first) == len(second):
        return tuple([union(a, b) for a, b in zip(first, second, strict=True)])
    if kind not in FIELDS:
        return first
    values = map(union, VALUES[kind](first), VALUES[kind](second))
    return kind(*values, origins=first.origins | second.origins)


def exchanged(first: Any, second: Any) -> dict[Origin, Origins]:
    """For each origin in the first of two equal trees, the corresponding origins in the second."""
    found: dict[Origin, Origins] = {}
    for one, other in zip(walk(first), walk(second), strict=True):
        for origin in one.origins:
            found[origin] = found.get(origin, NOWHERE) | other.origins
    return found


def also_from(part: Any, more: dict[Origin, Origins]) -> Any:
    """The tree with additional origins: for each origin of a node, those in `more`."""
    kind = type(part)
    if kind is tuple:
        return tuple([also_from(item, more) for item in part])
    if kind not in FIELDS:
        return part
    new = NOWHERE.union(*[more.get(origin, NOWHERE) for origin in part.origins])
    values = [also_from(value, more) for value in VALUES[kind](part)]
    return kind(*values, origins=part.origins | new)
