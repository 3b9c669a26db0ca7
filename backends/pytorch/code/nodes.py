"""The vocabulary of emitted programs: expressions and statements of Python, as data.

Nodes are immutable and compare by what they say, so two classes are one where their trees are
equal. `origins` tell the source map where a node comes from and are no part of the comparison: the
number of an op, the path of a scope of the graph, or the path of a value in the spec, as a tuple.
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
        """A dataclass that nobody changes. Type checking forbids it; Python does not look, which
        would cost a tenth of the time of emitting a file."""
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
    """A number, a string, None, True, False or `...`, and how it is written (1 is not 1.0)."""

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
    """`left sign right`; chains such as `a + b + c` lean to the left."""

    left: Expr
    sign: str
    right: Expr


@tree_node(frozen=True, slots=True)
class Unary(Node):
    sign: str  # -, ~ or not
    of: Expr


@tree_node(frozen=True, slots=True)
class Bracketed(Node):
    """An expression in brackets that help the reader and that Python does not need."""

    of: Expr


@tree_node(frozen=True, slots=True)
class Choice(Node):
    """`then if test else other`."""

    then: Expr
    test: Expr
    other: Expr


@tree_node(frozen=True, slots=True)
class Sequence(Node):
    """A tuple, a list or a set; without brackets, a tuple such as `a, b`."""

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
    """An f-string; its parts are texts and expressions."""

    parts: tuple[str | Expr, ...]


@tree_node(frozen=True, slots=True)
class Adjacent(Node):
    """Strings one behind the other, which Python joins: a long one over several lines."""

    items: tuple[Expr, ...]


@tree_node(frozen=True, slots=True)
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


@tree_node(frozen=True, slots=True)
class Set(Node):
    """`target = value`, with an annotation in a class; `note` is the comment behind it.

    `also` are the further targets of `target = also = value`.
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
    """An expression for its effect."""

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
    """A parameter of a function; the name `*` separates those that are given by name only."""

    name: str
    annotation: Expr | None = None
    default: Expr | None = None


@tree_node(frozen=True, slots=True)
class Function(Node):
    """`def name(parameters) -> result:`; the docstring holds the lines of its text."""

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
"""The fields of each kind of node that may hold other nodes."""
PARTS[Literal] = ()


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda node: (getattr(node, names[0]),)) if names else lambda node: ()


CHILDREN = {kind: _values(names) for kind, names in PARTS.items()}
FIELDS = {kind: tuple(f.name for f in fields(kind) if f.name != "origins") for kind in KINDS}
VALUES = {kind: _values(names) for kind, names in FIELDS.items()}


def walk(*found: Any) -> Iterator[Any]:
    """These nodes and all that stand in them, in no order that means anything."""
    waiting = list(found)
    while waiting:
        part = waiting.pop()
        if type(part) is tuple:
            waiting.extend(part)
        elif type(part) in CHILDREN:
            yield part
            waiting.extend(CHILDREN[type(part)](part))


def origins_in(*found: Any) -> Origins:
    """Where these nodes and all in them come from."""
    origins = [node.origins for node in walk(*found) if node.origins]
    return NOWHERE.union(*origins) if origins else NOWHERE


def is_placed(origins: Origins) -> bool:
    """Do they name an op or a scope, and not only values of the spec?"""
    return any(type(origin) is not tuple for origin in origins)


def placed(own: Origins, around: Origins) -> Origins:
    """A part's own origins; also those of what it stands in, if its own name no op or scope."""
    return own if is_placed(own) else own | around


def written_for(node: Any, *origins: Origin) -> Any:
    """The node, written for these ops, scopes or values of the spec too."""
    kind = type(node)
    return kind(*VALUES[kind](node), origins=node.origins.union(origins))


def change(part: Any, changes: dict[Any, Any]) -> Any:
    """The tree with some of its nodes exchanged for others, the outermost first."""
    by_kind: dict[type, list[tuple[Any, Any]]] = {}
    for old, new in changes.items():
        by_kind.setdefault(type(old), []).append((old, new))

    def exchange(node: Any) -> Any:
        return next((new for old, new in by_kind.get(type(node), ()) if old == node), None)

    return rebuilt(part, exchange)


def rebuilt(part: Any, exchange: Callable[[Any], Any]) -> Any:
    """The tree with what `exchange` gives for a node in its place; None leaves a node there.

    What does not change is the same object as before.
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
    """The first tree, with the origins of the second too where both say the same."""
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
    """For each origin in the first of two equal trees, the origins at its place in the second."""
    found: dict[Origin, Origins] = {}
    for one, other in zip(walk(first), walk(second), strict=True):
        for origin in one.origins:
            found[origin] = found.get(origin, NOWHERE) | other.origins
    return found


def also_from(part: Any, more: dict[Origin, Origins]) -> Any:
    """The tree, where each node also has the origins that `more` lists for its own."""
    kind = type(part)
    if kind is tuple:
        return tuple([also_from(item, more) for item in part])
    if kind not in FIELDS:
        return part
    new = NOWHERE.union(*[more.get(origin, NOWHERE) for origin in part.origins])
    values = [also_from(value, more) for value in VALUES[kind](part)]
    return kind(*values, origins=part.origins | new)
