"""Violations of laws, and the check of laws on a spec with invalid parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..part import UnknownValueError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """A violation: path in the resolved spec, and message.

    lacks: the missing key, if that is the cause; not reported if the key was misspelt
    warning: allowed, but probably not intended
    may_follow: may be a consequence of another problem; only reported if there is no other
    """

    path: Path
    message: str
    lacks: str = ""
    warning: bool = False
    may_follow: bool = False


Law = Callable[..., Iterator[Finding]]


def tried(law: Law, *subject: Any) -> Iterator[Finding]:
    """The findings of a law, until it reads an invalid value."""
    try:
        yield from law(*subject)
    except UnknownValueError:
        return


def parts(mapping: Any, kind: type | tuple[type, ...]) -> Iterable[tuple[str, Any]]:
    """The valid members of a map of named parts."""
    if not isinstance(mapping, dict):
        return []
    return [(name, part) for name, part in mapping.items() if isinstance(part, kind)]


def members(sequence: Any) -> list[Any]:
    """The members of a tuple; empty if it is invalid."""
    return list(sequence) if isinstance(sequence, tuple) else []
