"""What a law finds, and how laws are run on a spec of which parts may be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..part import UnknownValueError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """A broken law: the path in the resolved spec, and what is wrong there.

    lacks: the key that is missing, when that is the trouble; a misspelling of it explains it
    warning: it is allowed, and probably not meant
    """

    path: Path
    message: str
    lacks: str = ""
    warning: bool = False


Law = Callable[..., Iterator[Finding]]


def tried(law: Law, *subject: Any) -> Iterator[Finding]:
    """What a law finds; it ends where it meets a value that could not be read."""
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
