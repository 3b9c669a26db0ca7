"""The helper `grouped_attention` of an emitted file, with the options that its calls give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .code.nodes import Call, Copied, Function, Name
from .code.read import read_definitions
from .code.walk import rebuilt, walk
from .helpers import trees

NAME = "grouped_attention"


def grouped_attention(parts: Iterable[Any]) -> list[Function]:
    """The helper for the calls in these parts of a file; nothing where there are none."""
    whole = trees("grouped")[NAME]
    assert isinstance(whole, Function)
    trees_of = [part for each in parts for part in _trees(each)]
    calls = [call for call in _calls(trees_of) if call.of == Name(NAME)]
    passed = [
        call for call in _calls(trees_of) if any(a.value == Name(NAME) for a in call.arguments)
    ]
    given = {argument.name for call in calls + passed for argument in call.arguments}
    if passed:  # to functions that compute tiles
        given |= {"attn_mask", "is_causal"}
    options = {p.name for p in whole.parameters if p.default is not None}
    return [_without(whole, options - given)] if calls or passed else []


def _calls(parts: Iterable[Any]) -> list[Call]:
    return [node for node in walk(*parts) if isinstance(node, Call)]


def _trees(part: Any) -> Iterable[Any]:
    """The tree of a part; that of a copied one, which is a text, only if it calls the helper."""
    if not isinstance(part, Copied):
        return [part]
    return read_definitions(part.text).values() if NAME in part.needs else []


def _without(function: Function, unused: set[str]) -> Function:
    """The function without these options, which it passes on by name."""

    def shorter(node: Any) -> Any:
        if not isinstance(node, Call) or not any(a.name in unused for a in node.arguments):
            return None
        return replace(node, arguments=tuple(a for a in node.arguments if a.name not in unused))

    body = rebuilt(function.body, shorter)
    parameters = tuple(p for p in function.parameters if p.name not in unused)
    return replace(function, parameters=parameters, body=body)
