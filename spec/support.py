"""Features of the language that are not implemented yet; using one is an error.

When a feature is implemented, its line here is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .errors import SpecError
from .locate import locate
from .model import ModelSpec
from .part import BROKEN, Part, parts_in
from .source import Node

Path = tuple[str | int, ...]

LATER_TYPES: dict[type[Part], str] = {}

# class -> option -> the supported values, and a name for all others
LATER_OPTIONS: dict[type[Part], dict[str, tuple[tuple[Any, ...], str]]] = {}


def not_yet(spec: ModelSpec, tree: Node) -> list[SpecError]:
    """A problem for each unsupported feature of the spec."""
    found: list[SpecError] = []
    for path, what in refusals(spec):
        place = locate(tree, path)
        plain = place.found and not isinstance(place.node.value, (dict, list))
        mark = place.node.mark if plain else place.node.at
        text = f"not supported yet: {what}"
        found.append(SpecError(mark, text))
    return list(dict.fromkeys(found))


def refusals(spec: Part) -> Iterator[tuple[Path, str]]:
    """The path and name of each unsupported feature, and of none inside another one."""
    refused: list[Path] = []
    for path, part in parts_in(spec):
        if any(path[: len(outer)] == outer for outer in refused):
            continue
        if (later := _later(type(part))) is not None:
            refused.append(path)
            yield (*path, "type"), later
            continue
        for name, text in _options(part):
            refused.append((*path, name))
            yield (*path, name), text


@cache
def _later(kind: type[Part]) -> str | None:
    return next((text for cls, text in LATER_TYPES.items() if issubclass(kind, cls)), None)


@cache
def _later_options(kind: type[Part]) -> tuple[tuple[str, tuple[Any, ...], str], ...]:
    return tuple(
        (name, *row)
        for cls, options in LATER_OPTIONS.items()
        if issubclass(kind, cls)
        for name, row in options.items()
    )


def _options(part: Part) -> Iterator[tuple[str, str]]:
    for name, values, text in _later_options(type(part)):
        value = getattr(part, name)
        if value is not BROKEN and not any(value == known for known in values):
            yield name, text
