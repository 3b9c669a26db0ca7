"""Name classes: equal ones get one name, others of one noun are distinguished."""

from __future__ import annotations

from collections.abc import Callable

from ...compiler.graph import ModuleGraph, Scope
from ...compiler.words import camel_case
from .classes import Contents, Written
from .helpers import places
from .plan import FilePlan


def name_classes(plan: FilePlan, classes: list[Written], others: list[Written]) -> list[Written]:
    """Name the classes of one noun: equal classes get one name, others are distinguished.

    They are distinguished from the model's class and from those of the runtime, too.
    Returns the distinct classes.
    """
    by_noun: dict[str, list[Written]] = {}
    for one in classes:
        by_noun.setdefault(one.noun, []).append(one)
    written: list[Written] = []
    known = {plan.graph.class_name, *places(), *(other.name for other in others)}
    for noun, group in by_noun.items():
        names, firsts = _names(plan, noun, group, known | {w.name for w in written})
        for name, one in zip(names, group, strict=True):
            plan.class_names[one.scope.path] = name
        for name, first in firsts.items():
            first.name = name
            written.append(first)
    return written


def _names(
    plan: FilePlan, noun: str, group: list[Written], taken: set[str]
) -> tuple[list[str], dict[str, Written]]:
    """The name of each class of a group, and the class of each name."""
    distinct: dict[Contents, int] = {}
    firsts: list[Written] = []
    place: list[int] = []
    for one in group:
        found = distinct.setdefault(one.contents, len(firsts)) if len(group) > 1 else 0
        if found == len(firsts):
            one.alike = []
            firsts.append(one)
        elif firsts[found] is not one:
            firsts[found].alike.append(one)
        place.append(found)
    for prefix in PREFIXES:
        names = [_joined(prefix(plan.graph, first.scope), noun) for first in firsts]
        if len(set(names)) == len(names) and not taken.intersection(names):
            return [names[i] for i in place], dict(zip(names, firsts, strict=True))
    raise AssertionError(f"two classes {noun} cannot be distinguished")


def _joined(prefix: str, noun: str) -> str:
    """`Local` and `Attention`: `LocalAttention`; `Attention2` is itself, a numbered sublayer."""
    numbered = prefix.rstrip("0123456789")
    return prefix if numbered != prefix and numbered.endswith(noun) else prefix + noun


def _stack_prefix(graph: ModuleGraph, scope: Scope) -> str:
    return camel_case(scope.stack)


def _kind_prefix(graph: ModuleGraph, scope: Scope) -> str:
    block = graph.block_of(scope.path)
    return camel_case(block.name) if block is not None and block is not scope else ""


PREFIXES: tuple[Callable[[ModuleGraph, Scope], str], ...] = (
    lambda graph, scope: "",
    _stack_prefix,
    _kind_prefix,
    lambda graph, scope: _stack_prefix(graph, scope) + _kind_prefix(graph, scope),
    lambda graph, scope: camel_case(scope.name),
    lambda graph, scope: _stack_prefix(graph, scope) + camel_case(scope.name),
)
