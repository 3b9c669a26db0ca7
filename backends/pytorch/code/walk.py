"""Walk and change trees: children, origins, replacing nodes, merging equal trees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from operator import attrgetter, is_
from typing import Any, TypeVar

from .nodes import (
    NOWHERE,
    Adjacent,
    Argument,
    Binary,
    Bracketed,
    Call,
    Choice,
    Class,
    Comment,
    Copied,
    Dictionary,
    Do,
    Dot,
    Entered,
    For,
    Format,
    Function,
    Generator,
    If,
    Index,
    Labelled,
    Literal,
    Loop,
    Name,
    Origin,
    Origins,
    Pair,
    Parameter,
    Raise,
    Return,
    Sequence,
    Set,
    Slice,
    Try,
    Unary,
    Update,
    With,
    Word,
)

T = TypeVar("T")
KINDS: tuple[Any, ...] = (
    *(Name, Literal, Dot, Argument, Call, Binary, Unary, Bracketed, Choice, Sequence, Pair),
    *(
        Dictionary,
        Index,
        Slice,
        Format,
        Labelled,
        Adjacent,
        Loop,
        Generator,
        Set,
        Update,
        Do,
        Return,
        Raise,
        Word,
    ),
    *(Comment, If, For, Entered, With, Try, Parameter, Function, Class, Copied),
)
TEXTS = {"origins", "id", "name", "sign", "brackets", "stars", "note", "doc", "word", "text"}
TEXTS |= {"needs", "fields", "notes"}
PARTS = {kind: tuple(f.name for f in fields(kind) if f.name not in TEXTS) for kind in KINDS}
"""The fields of each node type that may contain nodes."""
PARTS[Literal] = ()


CHILDREN = {kind: attrgetter(*names) for kind, names in PARTS.items() if names}
"""The nodes in a node: one of them, or a tuple of nodes and tuples. Leaves have none."""


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    only = attrgetter(*names)
    return lambda node: (only(node),)


FIELDS = {kind: tuple(f.name for f in fields(kind) if f.name != "origins") for kind in KINDS}
VALUES = {kind: _values(names) for kind, names in FIELDS.items()}


def walk(*found: Any) -> Iterator[Any]:
    """These nodes and all descendants, in arbitrary order."""
    waiting = list(found)
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is tuple:
            waiting.extend(part)
        elif kind in PARTS:
            yield part
            if kind in CHILDREN:
                waiting.append(CHILDREN[kind](part))


def origins_in(*found: Any) -> Origins:
    """The origins of these nodes and all descendants."""
    origins: list[Origins] = []
    waiting = list(found)  # as in `walk`; this is done for every line
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is tuple:
            waiting.extend(part)
        elif kind in PARTS:
            if part.origins:
                origins.append(part.origins)
            if kind in CHILDREN:
                waiting.append(CHILDREN[kind](part))
    return NOWHERE.union(*origins) if origins else NOWHERE


def is_placed(origins: Origins) -> bool:
    """Whether they contain an op or a scope, and not only values of the spec."""
    for origin in origins:  # noqa: SIM110 (called for every line)
        if type(origin) is not tuple:
            return True
    return False


def placed(own: Origins, around: Origins) -> Origins:
    """The origins of a part; if they contain no op or scope, also those around it."""
    return own if is_placed(own) else own | around


def written_for(node: Any, *origins: Origin) -> Any:
    """The node with additional origins."""
    kind, together = type(node), node.origins.union(origins)
    if len(together) == len(node.origins):
        return node
    return kind(*VALUES[kind](node), origins=together)


def change(part: Any, changes: dict[Any, Any]) -> Any:
    """Replace nodes of a tree, outermost first."""

    def exchange(node: Any) -> Any:
        return next((new for old, new in changes.items() if old == node), None)

    return rebuilt(part, dict.fromkeys(map(type, changes), exchange))


def rebuilt(part: Any, exchange: Mapping[type, Callable[[Any], Any]]) -> Any:
    """Replace nodes by the result of the function for their kind, if any; None keeps a node.

    Unchanged subtrees are the same objects as before.
    """
    kind = type(part)
    if kind is tuple:
        items = [rebuilt(item, exchange) for item in part]
        return part if all(map(is_, items, part)) else tuple(items)
    if kind in exchange and (new := exchange[kind](part)) is not None:
        return new
    if kind not in CHILDREN:
        return part
    inner = [getattr(part, name) for name in PARTS[kind]]
    made = [rebuilt(item, exchange) for item in inner]
    if all(map(is_, made, inner)):
        return part
    values = dict(zip(PARTS[kind], made, strict=True))
    return kind(
        *[values[n] if n in values else getattr(part, n) for n in FIELDS[kind]],
        origins=part.origins,
    )


def groups_of(items: Iterable[T], tree: Callable[[T], Any]) -> list[list[T]]:
    """The items with equal trees together. Most trees differ early, so comparing is fast."""
    groups: list[tuple[Any, list[T]]] = []
    for item in items:
        made = tree(item)
        group = next((group for other, group in groups if other == made), None)
        if group is None:
            groups.append((made, [item]))
        else:
            group.append(item)
    return [group for _, group in groups]


def union(first: Any, second: Any) -> Any:
    """The first tree, with the origins of the second added where both are equal."""
    kind = type(first)
    if kind is not type(second) or first is second:
        return first
    if kind is tuple and len(first) == len(second):
        return tuple([union(a, b) for a, b in zip(first, second, strict=True)])
    if kind not in PARTS:
        return first
    made = dict.fromkeys(PARTS[kind])
    for name in made:
        made[name] = union(getattr(first, name), getattr(second, name))
    return kind(
        *[made[name] if name in made else getattr(first, name) for name in FIELDS[kind]],
        origins=first.origins | second.origins,
    )


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
