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
HELPER = Name(NAME)


def grouped_attention(read: Names) -> list[Function]:
    """The helper for the parts of a file that read it; nothing where none does."""
    readers = read.readers(NAME)
    if not readers:
        return []
    given = set().union(
        *[_of_copied(p.text) if isinstance(p, Copied) else _options_given([p]) for p in readers]
    )
    return [_with(frozenset(given))]


@cache
def _of_copied(text: str) -> set[str]:
    """The same for a text of the runtime."""
    return _options_given(read_definitions(text).values())


def _options_given(trees: Iterable[Any]) -> set[str]:
    """The names of the arguments that calls in these trees give to the helper."""
    calls = [node for node in walk(*trees) if type(node) is Call]
    passed = [call for call in calls if any(a.value == HELPER for a in call.arguments)]
    direct = [call for call in calls if call.of == HELPER]
    given = {argument.name for call in direct + passed for argument in call.arguments}
    if passed:  # to functions that compute tiles
        given |= {"attn_mask", "is_causal"}
    return given


@cache
def _with(given: frozenset[str]) -> Function:
    """The helper with these options only; it passes options on by name."""
    function = trees("grouped")[NAME]
    assert isinstance(function, Function)
    unused = {p.name for p in function.parameters if p.default is not None} - given

    def shorter(node: Call) -> Call | None:
        if not any(a.name in unused for a in node.arguments):
            return None
        return replace(node, arguments=tuple(a for a in node.arguments if a.name not in unused))

    body = rebuilt(function.body, {Call: shorter})
    parameters = tuple(p for p in function.parameters if p.name not in unused)
    return replace(function, parameters=parameters, body=body)
