"""Resolve names in emitted programs as Python does: local names and global names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .nodes import (
    CHILDREN,
    Class,
    Comment,
    Copied,
    Dot,
    For,
    Function,
    Generator,
    If,
    Name,
    Raise,
    Return,
    Set,
    Try,
    Update,
    Word,
)

SELF, CONFIG = Name("self"), Name("config")


class UnboundNameError(AssertionError):
    """An emitted function reads a name before it is set: a bug of the compiler."""


class Names:
    """The names that parts of a program read.

    outer   names that they do not set themselves
    fields  fields of the Config: `config.x` and `self.config.x`

    Raises UnboundNameError if a function reads one of its local names before it is set.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        self.outer: set[str] = set()
        self.fields: set[str] = set()
        self.add(parts)

    def add(self, parts: Iterable[Any]) -> None:
        for part in parts:
            self.outer |= self._of(part)

    def _of(self, part: Any) -> set[str]:
        """The global names that a part reads."""
        if isinstance(part, Copied):
            self.fields |= part.fields
            return set(part.needs)
        if isinstance(part, Function):
            return self._of_function(part)
        if isinstance(part, Set):
            return self._read((part.value, part.annotation, _no_names(part)))
        if not isinstance(part, Class):
            return self._read(part)
        found = self._read(part.bases + part.decorators)
        bound: set[str] = set()
        for inner in part.body:
            read = self._of(inner)  # methods do not see names of the class body
            found |= read if isinstance(inner, Function) else read - bound
            bound |= bound_by(inner)
        return found

    def _read(self, found: Any) -> set[str]:
        """The names that expressions read, without the variables of generators."""
        names: set[str] = set()
        waiting = [found]
        while waiting:
            part = waiting.pop()
            kind = type(part)
            if kind is Name:
                names.add(part.id)
            elif kind is tuple:
                waiting.extend(part)
            elif kind is Generator:
                names |= self._read(part.over)
                names |= self._read((part.value, part.test)) - _targets(part.target)
            elif kind is Dot:
                if part.of in CONFIGS:
                    self.fields.add(part.name)
                waiting.append(part.of)
            elif kind in CHILDREN:
                waiting.extend(CHILDREN[kind](part))
        return names

    def _of_function(self, f: Function) -> set[str]:
        own = {p.name for p in f.parameters}
        local = own.union(*[bound_by(part) for part in f.body])
        signature = tuple((p.annotation, p.default) for p in f.parameters)
        outer = self._read((signature, f.result, f.decorators))
        unbound: set[str] = set()

        def read(part: Any, known: set[str]) -> None:
            names = self._read(part)
            outer.update(names - local)
            unbound.update((names & local) - known)

        def run(body: Iterable[Any], known: set[str]) -> set[str]:
            for part in body:
                if isinstance(part, Set):
                    read((part.value, part.annotation, _no_names(part)), known)
                    known = known | bound_by(part)
                elif isinstance(part, If):
                    read(part.test, known)
                    known = _after(part, run(part.then, known), run(part.other, known))
                elif isinstance(part, For):
                    read(part.over, known)
                    run(part.body, known | _targets(part.target))
                elif isinstance(part, Try):
                    run(part.final, known)  # runs after any exit from the body
                    known = run(part.body, known)
                elif isinstance(part, Update):
                    read((part.target, part.value), known)
                elif not isinstance(part, (Comment, Word)):
                    read(part, known)
            return known

        run(f.body, own)
        if unbound:
            raise UnboundNameError(f"{f.name} reads {', '.join(sorted(unbound))} before it is set")
        return outer


OWN_CONFIG = Dot(SELF, "config")
CONFIGS = (CONFIG, OWN_CONFIG)


def bound_by(statement: Any) -> set[str]:
    """The names that a statement sets."""
    if isinstance(statement, Set):
        return _targets(statement.target, *statement.also)
    if isinstance(statement, (Function, Class, Copied)):
        return {statement.name}
    found = _targets(statement.target) if isinstance(statement, For) else set()
    return found.union(*[bound_by(part) for part in inner_statements(statement)])


def inner_statements(statement: Any) -> tuple[Any, ...]:
    """The nested statements of a statement, except functions and classes."""
    if isinstance(statement, If):
        return statement.then + statement.other
    if isinstance(statement, Try):
        return statement.body + statement.final
    return statement.body if isinstance(statement, For) else ()


def _targets(*targets: Any) -> set[str]:
    found: set[str] = set()
    for target in targets:
        if isinstance(target, Name):
            found.add(target.id)
        elif hasattr(target, "items"):
            found |= _targets(*target.items)
    return found


def _no_names(part: Set) -> tuple[Any, ...]:
    """Assignment targets that are not names; `cache.length = end` reads `cache`."""
    return tuple(target for target in (part.target, *part.also) if not _targets(target))


def _after(part: If, then: set[str], other: set[str]) -> set[str]:
    """The names that are set after an `if`: those set by both branches.

    If one branch returns, raises or leaves the loop, those of the other.
    """
    if part.then and _leaves(part.then[-1]):
        return other
    if part.other and _leaves(part.other[-1]):
        return then
    return then & other


def _leaves(statement: Any) -> bool:
    jumps = isinstance(statement, Word) and statement.word != "pass"
    return jumps or isinstance(statement, (Return, Raise))
