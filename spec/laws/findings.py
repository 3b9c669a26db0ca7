"""Violations of laws, and how laws are checked on a spec with invalid parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..part import UnknownValueError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """A violated law: its path in the resolved spec and the message.

    lacks: the missing key, if that is the cause; not reported when the key was misspelt
    warning: allowed, but probably not intended
    may_follow: it may follow from another problem, and is reported only where there is none
    """

    path: Path
    message: str
    lacks: str = ""
    warning: bool = False
    may_follow: bool = False


Law = Callable[..., Iterator[Finding]]


def tried(law: Law, *subject: Any) -> Iterator[Finding]:
    """The findings of a law, up to the first invalid value it reads."""
    try:
        yield from law(*subject)
    except UnknownValueError:
        return


def parts(mapping: Any, kind: type | tuple[type, ...]) -> Iterable[tuple[str, Any]]:
    """The well-formed members of a map of named parts."""
    if not isinstance(mapping, dict):
        return []
    return [(name, part) for name, part in mapping.items() if isinstance(part, kind)]


def members(sequence: Any) -> list[Any]:
    """The members of a tuple; none of one that could not be read."""
    return list(sequence) if isinstance(sequence, tuple) else []
