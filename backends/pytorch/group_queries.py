"""The helper `grouped_attention` of an emitted file, with the options that its calls give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from .code.nodes import Call, Copied, Function, Name
from .code.read import read_definitions
from .code.scope import Names
from .code.walk import rebuilt, walk
from .helpers import trees

NAME = "grouped_attention"


def grouped_attention(read: Names) -> list[Function]:
    """The helper for the parts of a file that read it; nothing where none does."""
    readers = read.readers(NAME)
    if not readers:
        return []
    whole = trees("grouped")[NAME]
    assert isinstance(whole, Function)
    nodes = walk(*[tree for part in readers for tree in _trees(part)])
    calls = [node for node in nodes if isinstance(node, Call)]
    passed = [call for call in calls if any(a.value == Name(NAME) for a in call.arguments)]
    direct = [call for call in calls if call.of == Name(NAME)]
    given = {argument.name for call in direct + passed for argument in call.arguments}
    if passed:  # to functions that compute tiles
        given |= {"attn_mask", "is_causal"}
    options = {p.name for p in whole.parameters if p.default is not None}
    return [_without(whole, options - given)]


def _trees(part: Any) -> Iterable[Any]:
    """The tree of a part; a copied one is a text, which is read."""
    return _read(part.text) if isinstance(part, Copied) else [part]


@cache
def _read(copied: str) -> tuple[Any, ...]:
    """The trees of a text of the runtime, which is the same for every model."""
    return tuple(read_definitions(copied).values())


def _without(function: Function, unused: set[str]) -> Function:
    """The function without these options, which it passes on by name."""

    def shorter(node: Any) -> Any:
        if not isinstance(node, Call) or not any(a.name in unused for a in node.arguments):
            return None
        return replace(node, arguments=tuple(a for a in node.arguments if a.name not in unused))

    body = rebuilt(function.body, shorter)
    parameters = tuple(p for p in function.parameters if p.name not in unused)
    return replace(function, parameters=parameters, body=body)
