"""Resolve names in emitted programs as Python does: local names and global names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .nodes import (
    Argument,
    Class,
    Comment,
    Copied,
    Dot,
    Entered,
    For,
    Function,
    Generator,
    If,
    Name,
    Raise,
    Return,
    Sequence,
    Set,
    Try,
    Update,
    With,
    Word,
)
from .walk import CHILDREN

SELF = Name("self")
OWN_CONFIG = Dot(SELF, "config")


class UnboundNameError(AssertionError):
    """An emitted function reads a name that is undefined, or not yet set: a compiler bug."""


class Names:
    """The names that parts of a program read.

    outer   names that they do not set themselves
    fields  fields of the Config: `config.x` and `self.config.x`
    parts   each part, and the names that it does not set itself

    Raises UnboundNameError if a function reads one of its local names before it is set.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        self.outer: set[str] = set()
        self.fields: set[str] = set()
        self.parts: list[tuple[Any, set[str]]] = []
        self.add(parts)

    def add(self, parts: Iterable[Any]) -> None:
        for part in parts:
            read = self._of(part)
            self.parts.append((part, read))
            self.outer |= read

    def readers(self, name: str) -> list[Any]:
        """The parts that read a name."""
        return [part for part, read in self.parts if name in read]

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
            elif kind is Argument:
                waiting.append(part.value)
            elif kind is tuple:
                waiting.extend(part)
            elif kind is Generator:
                names |= self._of_generator(part)
            elif kind is Dot:
                of = part.of
                if type(of) is not Name:
                    waiting.append(of)
                    if of == OWN_CONFIG:
                        self.fields.add(part.name)
                    continue
                names.add(of.id)
                if of.id == "config":
                    self.fields.add(part.name)
            elif kind is Entered:
                waiting.append(part.of)
            elif kind in CHILDREN:
                waiting.append(CHILDREN[kind](part))
        return names

    def _of_generator(self, part: Generator) -> set[str]:
        """What a generator reads besides the names of its own loops."""
        names: set[str] = set()
        own: set[str] = set()
        for loop in part.loops:
            names |= self._read(loop.over) - own
            own |= _targets(loop.target)
            names |= self._read(loop.test) - own
        return names | (self._read(part.value) - own)

    def _of_function(self, f: Function) -> set[str]:
        return _FunctionNames(self, f).outer


class _FunctionNames:
    """The names of a function; `outer` are those that it reads and does not set itself.

    Raises UnboundNameError if it reads one of its local names before it is set.
    """

    def __init__(self, names: Names, f: Function) -> None:
        self.names = names
        self.local = {p.name for p in f.parameters}  # and each name that the body sets
        self.early: set[str] = set()  # read where it is not set: a global name, or an error
        signature = tuple((p.annotation, p.default) for p in f.parameters)
        outer = names._read((signature, f.result, f.decorators))
        self.run(f.body, self.local)
        if unbound := self.early & self.local:
            raise UnboundNameError(f"{f.name} reads {', '.join(sorted(unbound))} before it is set")
        self.outer = outer | self.early

    def read(self, part: Any, known: set[str]) -> None:
        names = self.names
        read = names._of(part) if type(part) is Function else names._read(part)
        self.early.update(read - known)

    def run(self, body: Iterable[Any], known: set[str]) -> set[str]:
        """The names that are set after the body; `known` are those that are set before it."""
        known = known.copy()
        for part in body:
            kind = type(part)
            if kind is Set:
                self.read((part.value, part.annotation, _no_names(part)), known)
                known |= self.bind(_targets(part.target, *part.also))
            elif kind is If:
                self.read(part.test, known)
                known = _after(part, self.run(part.then, known), self.run(part.other, known))
            elif kind is For:
                self.read(part.over, known)
                self.run(part.body, known | self.bind(_targets(part.target)))
            elif kind is With:
                self.read(part.items, known)
                known = self.run(part.body, known | self.bind(_targets(*_entered(part))))
            elif kind is Function:
                self.read(part, known)  # it is called where its names are known
                known |= self.bind({part.name})
            elif kind is Try:
                self.run(part.final, known)  # runs after any exit from the body
                known = self.run(part.body, known)
            elif kind is Update:
                self.read((part.target, part.value), known)
            elif kind is not Comment and kind is not Word:
                self.read(part, known)
        return known

    def bind(self, names: set[str]) -> set[str]:
        self.local |= names
        return names


def bound_by(statement: Any) -> set[str]:
    """The names that a statement sets."""
    if isinstance(statement, Set):
        return _targets(statement.target, *statement.also)
    if isinstance(statement, (Function, Class, Copied)):
        return {statement.name}
    found = _targets(statement.target) if isinstance(statement, For) else set()
    found |= _targets(*_entered(statement)) if isinstance(statement, With) else set()
    return found.union(*[bound_by(part) for part in inner_statements(statement)])


def inner_statements(statement: Any) -> tuple[Any, ...]:
    """The nested statements of a statement, except functions and classes."""
    kind = type(statement)
    if kind is If:
        return statement.then + statement.other  # type: ignore[no-any-return]
    if kind is Try:
        return statement.body + statement.final  # type: ignore[no-any-return]
    return statement.body if kind is For or kind is With else ()


def _targets(*targets: Any) -> set[str]:
    if len(targets) == 1 and type(targets[0]) is Name:  # most
        return {targets[0].id}
    found: set[str] = set()
    for target in targets:
        kind = type(target)
        if kind is Name:
            found.add(target.id)
        elif kind is Argument:
            found |= _targets(target.value)
        elif kind is Sequence:
            found |= _targets(*target.items)
    return found


def _entered(part: With) -> list[Any]:
    """The names that a `with` gives to what it enters."""
    return [item.target for item in part.items]


def _no_names(part: Set) -> tuple[Any, ...]:
    """Assignment targets that are not names; `cache.length = end` reads `cache`."""
    if not part.also and type(part.target) in (Name, Dot):  # most
        return () if type(part.target) is Name else (part.target,)
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


def notes_of(parts: Iterable[Any]) -> list[str]:
    """The comments and docstrings of a program, in arbitrary order."""
    found: list[str] = []
    waiting = [*parts]
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is Copied:
            found += part.notes
        elif kind is Class or kind is Function:
            found.append(part.doc)
            waiting += part.body
        else:
            found.append(getattr(part, "note", ""))
            waiting += inner_statements(part)
    return found
