"""Shell completion of `--set KEY=VALUE`: keys of the language, and values of some keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args, get_origin

import click

if TYPE_CHECKING:
    from ..spec.signatures import Shape


def complete_set(_ctx: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    """Dotted keys that begin with `start`; after `=`, types or words."""
    dotted, sign, value = start.partition("=")
    *outer, last = dotted.split(".")
    if sign:
        found = [
            f"{dotted}={word}"
            for shape in _at((*outer, last))
            for word in _words(shape)
            if word.startswith(value)
        ]
    else:
        prefix = "".join(f"{key}." for key in outer)
        found = [prefix + key for key in _keys(tuple(outer)) if key.startswith(last)]
    return sorted(set(found))


def _keys(path: tuple[str, ...]) -> Iterator[str]:
    from ..spec.model import BLOCK_KEYS, ONLY_MODEL, STACK_KEYS

    if not path:
        yield from ONLY_MODEL | STACK_KEYS | BLOCK_KEYS
    elif path[-1] in ("encoder", "decoder"):
        yield from STACK_KEYS | BLOCK_KEYS
    for shape in _at(path):
        yield from _inside(shape)


def _at(path: tuple[str, ...]) -> list[Shape]:
    """The accepted values at a dotted path; several if types differ."""
    from ..spec.model import Block, ModelSpec, Stack
    from ..spec.signatures import shapes

    found = [
        shape
        for cls in (ModelSpec, Stack, Block)
        for key, shape in shapes(cls).items()
        if path and key == path[0]
    ]
    if path and path[0] in ("encoder", "decoder"):
        return _at(path[1:]) if len(path) > 1 else []
    if path and path[0] == "head":
        found += [shape.inner for shape in _at(("heads",)) if shape.inner is not None]
    for key in path[1:]:
        found = [inner for shape in found if (inner := _inside(shape).get(key)) is not None]
    return found


def _inside(shape: Shape) -> dict[str, Shape]:
    """The keys of a mapping, or of all types of a component."""
    from ..spec.signatures import shapes

    inside = shape.inner if shape.kind == "list" and shape.inner is not None else shape
    found: dict[str, Shape] = {}
    classes = (
        [inside.cls] if inside.cls else inside.tagged.classes.values() if inside.tagged else ()
    )
    for cls in classes:
        found |= shapes(cls)
    return found


def _words(shape: Shape) -> list[str]:
    """Types of a component, or the words of a key."""
    inside = shape.inner if shape.kind == "list" and shape.inner is not None else shape
    if inside.tagged is not None:
        return list(inside.tagged.classes)
    json = getattr(inside.leaf, "json", {})
    if inside.leaf is bool or json.get("type") == "boolean":
        return ["true", "false"]
    if get_origin(inside.leaf) is Literal:
        return [str(word) for word in get_args(inside.leaf)]
    return []
