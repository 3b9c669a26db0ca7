"""Origins for the source map that follow from calls: between methods, classes and helpers.

A node stores the ops and modules that it was written for. What follows from calls is computed only
when a source map is requested, because emitting a file does not need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeGuard

from .code.nodes import (
    NOWHERE,
    Call,
    Class,
    Copied,
    Dot,
    For,
    Function,
    If,
    Name,
    Origins,
    Set,
    Statement,
    Try,
    With,
)
from .code.scope import SELF, inner_statements
from .code.walk import is_placed, origins_in, placed, rebuilt, walk, written_for

MODEL: Origins = frozenset({""})
CACHE = Name("Cache")


def with_called(parts: list[Statement]) -> list[Statement]:
    """The parts, in which calls within the model also have the origins of what they call.

    `self.logits(x)` gets the ops of the head, `self.encoder(x)` that stack, `Cache(length)` the ops
    that store something in the cache.
    """
    *others, model = parts
    assert isinstance(model, Class)
    known = _held(model)
    cache = next((p.origins for p in parts if isinstance(p, Class) and p.name == "Cache"), NOWHERE)

    def of_member(node: Dot) -> Dot | None:
        own = node.of == SELF and node.name in known
        return written_for(node, *known[node.name]) if own else None

    def of_cache(node: Call) -> Call | None:
        return written_for(node, *cache) if node.of == CACHE else None

    exchange: dict[type, Callable[[Any], Any]] = {Dot: of_member, Call: of_cache}
    body = [p if getattr(p, "name", "") == "__init__" else rebuilt(p, exchange) for p in model.body]
    return [*others, replace(model, body=tuple(body))]


def _held(model: Class) -> dict[str, Origins]:
    """The origins of the model's methods and of the modules that its constructor creates."""
    found = {part.name: part.origins for part in model.body if isinstance(part, Function)}
    for part in model.body:
        for line in part.body if isinstance(part, Function) and part.name == "__init__" else ():
            if isinstance(line, Set) and isinstance(line.target, Dot) and is_placed(line.origins):
                paths = [origin for origin in line.origins if isinstance(origin, str)]
                found[line.target.name] = frozenset(paths)
    return found


def with_users(parts: list[Statement]) -> list[Statement]:
    """The parts, in which each helper has the origins of its direct and indirect callers.

    A part without a caller, such as a function that loads weights, belongs to the model.
    """
    helpers = [part for part in parts if _is_helper(part)]
    users: dict[str, Origins] = {helper.name: NOWHERE for helper in helpers}
    for part in parts:
        for statement, around in simple_statements(part):
            called = {node.id for node in walk(statement) if isinstance(node, Name)} & users.keys()
            if called:
                origins = placed(origins_in(statement), around)
                users |= {name: users[name] | origins for name in called}
    for _ in helpers:  # enough for the longest chain of calls
        for helper in helpers:
            for name in getattr(helper, "needs", NOWHERE) & users.keys():
                users[name] |= users[helper.name]
    found = [replace(p, origins=users[p.name]) if _is_helper(p) else p for p in parts]
    return [p if is_placed(p.origins) else written_for(p, *MODEL) for p in found]


def _is_helper(part: Any) -> TypeGuard[Copied | Function]:
    """Whether a function serves all its callers, and not one op."""
    return isinstance(part, Copied) or (isinstance(part, Function) and not is_placed(part.origins))


def simple_statements(part: Any, around: Origins = NOWHERE) -> Iterator[tuple[Any, Origins]]:
    """The innermost statements of a part, each with the origins of the nodes around it."""
    around = placed(part.origins, around)
    if not isinstance(part, (Class, Function, If, For, With, Try)):
        yield part, around
        return
    for key in ("test", "over", "items"):
        if (value := getattr(part, key, None)) is not None:
            yield value, around
    inner = part.body if isinstance(part, (Class, Function)) else inner_statements(part)
    for statement in inner:
        yield from simple_statements(statement, around)
