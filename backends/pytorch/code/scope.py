"""Names in emitted programs, resolved as Python does: what is local, what is read from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .nodes import (
    Class,
    Comment,
    Copied,
    Dot,
    For,
    Function,
    Generator,
    If,
    Name,
    Node,
    Parameter,
    Set,
    Update,
    Word,
    parts_of,
    walk,
)


class UnboundNameError(AssertionError):
    """An emitted function reads a name that it has not set: a fault of the compiler."""


def outer_names(statement: Any) -> set[str]:
    """The names that a function, a class or a statement reads from outside.

    Raises UnboundNameError where a function reads one of its own names before it is set.
    """
    if isinstance(statement, Copied):
        return set(statement.needs)
    if isinstance(statement, Function):
        return _of_function(statement)
    if isinstance(statement, Class):
        found = _read(statement.bases) | _read(statement.decorators)
        bound: set[str] = set()
        for part in statement.body:
            found |= outer_names(part) - bound
            bound |= bound_by(part)
        return found
    if isinstance(statement, Set):
        targets = tuple(t for t in (statement.target, *statement.also) if not _targets(t))
        return _read((statement.value, statement.annotation, targets))
    return _read(statement)


def config_fields(found: Iterable[Any]) -> set[str]:
    """The fields of the Config that these nodes read: `config.x` and `self.config.x`."""
    fields: set[str] = set()
    for node in walk(*found):
        if isinstance(node, Copied):
            fields |= node.fields
        elif isinstance(node, Dot) and _is_config(node.of):
            fields.add(node.name)
    return fields


def _is_config(node: Any) -> bool:
    if isinstance(node, Name):
        return node.id == "config"
    return isinstance(node, Dot) and node.name == "config" and node.of == Name("self")


def bound_by(statement: Any) -> set[str]:
    """The names that a statement sets."""
    if isinstance(statement, (Function, Class, Copied)):
        return {statement.name}
    if isinstance(statement, Set):
        return _targets(statement.target, *statement.also)
    if isinstance(statement, (If, For)):
        found = _targets(statement.target) if isinstance(statement, For) else set()
        body = statement.body if isinstance(statement, For) else statement.then + statement.other
        return found.union(*[bound_by(part) for part in body])
    return set()


def _targets(*targets: Any) -> set[str]:
    found: set[str] = set()
    for target in targets:
        if isinstance(target, Name):
            found.add(target.id)
        elif hasattr(target, "items"):
            found |= _targets(*target.items)
    return found


def _read(found: Any) -> set[str]:
    """The names that expressions read; a generator's own one is not among them."""
    names: set[str] = set()
    waiting = [found]
    while waiting:
        part = waiting.pop()
        if type(part) is tuple:
            waiting += part
        elif isinstance(part, Name):
            names.add(part.id)
        elif isinstance(part, Generator):
            names |= _read(part.over)
            names |= _read((part.value, part.test)) - _targets(part.target)
        elif isinstance(part, Node):
            waiting += [getattr(part, name) for name in parts_of(type(part))]
    return names


def _of_function(f: Function) -> set[str]:
    own = {p.name for p in f.parameters}
    local = own.union(*[bound_by(part) for part in f.body])
    unbound: set[str] = set()
    outer = _of_parameters(f.parameters) | _read(f.result) | _read(f.decorators)

    def read(part: Any, known: set[str]) -> None:
        names = _read(part)
        outer.update(names - local)
        unbound.update((names & local) - known)

    def run(body: Iterable[Any], known: set[str]) -> set[str]:
        for part in body:
            if isinstance(part, If):
                read(part.test, known)
                then, other = run(part.then, known), run(part.other, known)
                known = _after(part, then, other)
            elif isinstance(part, For):
                read(part.over, known)
                run(part.body, known | _targets(part.target))
            elif isinstance(part, Set):
                read((part.value, part.annotation), known)
                read(tuple(t for t in (part.target, *part.also) if not _targets(t)), known)
                known = known | bound_by(part)
            elif isinstance(part, Update):
                read((part.target, part.value), known)
            elif not isinstance(part, (Comment, Word)):
                read(part, known)
        return known

    run(f.body, own)
    if unbound:
        raise UnboundNameError(f"{f.name} reads {', '.join(sorted(unbound))} before it is set")
    return outer


def _after(part: If, then: set[str], other: set[str]) -> set[str]:
    """What is set behind an `if`: what both ways set, or one, where the other one leaves."""
    if part.then and _leaves(part.then[-1]):
        return other
    if part.other and _leaves(part.other[-1]):
        return then
    return then & other


def _leaves(statement: Any) -> bool:
    return type(statement).__name__ in ("Return", "Raise") or isinstance(statement, Word)


def _of_parameters(parameters: tuple[Parameter, ...]) -> set[str]:
    return _read(tuple(part for p in parameters for part in (p.annotation, p.default) if part))
