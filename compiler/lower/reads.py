"""Record which options of a spec lowering reads.

A `View` wraps a part of the spec. `isinstance`, comparison and attributes work as on the part
itself, and each option that is read is recorded by its path. `unused` reports the others.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

from ...spec.part import PLAIN, Part, options_of

Path = tuple[str | int, ...]
T = TypeVar("T")

USED = ""
"""Recorded below the path of a part that is used as a whole, see `consume`."""


class View:
    """A part of the spec that records which of its options are read.

    An option that is read becomes an attribute, which Python finds without `__getattr__`.
    """

    _part: Part
    _path: Path
    _reads: set[Path]

    def __init__(self, part: Part, path: Path, reads: set[Path]) -> None:
        self.__dict__.update(_part=part, _path=path, _reads=reads)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The class of the part, so that `isinstance` answers for the part."""
        return self._part.__class__

    def __getattr__(self, name: str) -> Any:
        part: Any = self._part
        cls: type[Part] = part.__class__
        if name in options_of(cls):
            path = (*self._path, name)
            self._reads.add(path)
            value = self.__dict__[name] = viewed(getattr(part, name), path, self._reads)
            return value
        member = _member(cls, name)
        if isinstance(member, property):
            return member.fget(self) if member.fget else None
        if isinstance(member, FunctionType):
            return MethodType(member, self)
        return getattr(part, name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a spec is frozen")

    def __eq__(self, other: object) -> bool:
        return bool(self._part == plain(other))

    def __hash__(self) -> int:
        return hash(self._part)

    def __repr__(self) -> str:
        return repr(self._part)


@cache
def _member(cls: type, name: str) -> Any:
    """The attribute of a class or of its bases, unbound; None if there is none."""
    return next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)


def viewed(value: T, path: Path, reads: set[Path]) -> T:
    """Wrap a value so that reads of its parts are recorded."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Part):
        return cast(T, View(plain(value), path, reads))
    if isinstance(value, dict):
        views = {key: viewed(inner, (*path, key), reads) for key, inner in value.items()}
        return cast(T, views)
    if isinstance(value, tuple):
        items = (viewed(inner, (*path, index), reads) for index, inner in enumerate(value))
        return cast(T, tuple(items))
    return value


def plain(value: Any) -> Any:
    """The part inside a view; other values unchanged."""
    return value._part if type(value) is View else value


def peek(part: Any, option: str) -> Any:
    """Read an option without recording it."""
    return getattr(plain(part), option)


def consume_whole(part: Any) -> None:
    """Record that a part and everything in it are used."""
    if isinstance(part, tuple):
        for inner in part:
            consume_whole(inner)
    elif type(part) is View:
        consume(part)
        for name in options_of(plain(part).__class__):
            consume_whole(getattr(part, name))


def consume(part: Any, *options: str) -> None:
    """Record that a part and these of its options are used, although they are not read.

    For parts without options, such as `transformer_xl`, and values determined by a law.
    """
    if type(part) is View:
        part._reads.update((*part._path, name) for name in (USED, *options))
