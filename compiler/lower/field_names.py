"""Which numbers of a spec are one field of the Config, and the name of each field.

Equal numbers of one key are one field, so that specs that say the same in different ways give the
same file, and layers without an override follow the number of their stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..sizes import Field

if TYPE_CHECKING:
    from ...spec.model import ModelSpec

Bases = dict[tuple[str, ...], str]
"""Stack and block that an override made -> the block that it changes."""
BLOCK = 1
"""The place of the block in a context."""
LEVELS = tuple(level for count in range(5) for level in combinations(range(4), count))
"""Parts of a context (stack, block, branch, part) that can prefix a field name."""


def name_fields(requests: list[Field], spec: ModelSpec) -> list[Field]:
    """Name each request for a field; the fields, in the order in which they were requested.

    A field is named by its key if there is only one, else with a prefix. Derived numbers come last;
    they are equal if their formulas are.
    """
    by_key: dict[str, list[Field]] = {}
    for request in sorted(requests, key=lambda field: field.formula is not None):
        by_key.setdefault(request.key, []).append(request)
    bases, taken = bases_of(spec), set(by_key)
    fields: dict[int, Field] = {}
    order = {id(request): i for i, request in enumerate(requests)}
    for key, same_key in by_key.items():
        groups = numbers(same_key)
        names = names_of(key, groups, bases, taken)
        taken.update(names)
        for group, name in zip(groups, names, strict=True):
            fields[order[id(group[0])]] = group[0]
            for request in group:
                request.name = name
    return [fields[place] for place in sorted(fields)]


# -- equal numbers


def numbers(requests: list[Field]) -> list[list[Field]]:
    """The requests for one key, by the number that each asks for."""
    groups: dict[Any, list[Field]] = {}
    for request in requests:
        groups.setdefault(_value(request), []).append(request)
    return [*groups.values()]


def _value(request: Field) -> tuple[Any, str]:
    return request.value, "" if request.formula is None else request.formula.code()


# -- names


def bases_of(spec: ModelSpec) -> Bases:
    """The blocks that overrides made."""
    found: Bases = {}
    for stack, part in spec.stacks.items():
        rule = getattr(part.order, "rule", None)
        for override in () if rule is None else rule.overrides:
            for before, after in override.becomes:
                if before != after:
                    found.setdefault((stack, after), found.get((stack, before), before))
    return found


def names_of(key: str, groups: list[list[Field]], bases: Bases, taken: set[str]) -> list[str]:
    """A name for each group: with the shortest prefixes that tell them apart.

    taken: names of other fields, and all keys

    Raises AssertionError if one part requests two numbers, which is a bug.
    """
    if len(groups) == 1:
        return [key]
    for common in (_common, _first):
        for level in LEVELS:
            names = ["_".join((*common(group, level, bases), key)) for group in groups]
            changed = [_is_changed(group, bases) for group in groups]
            if BLOCK in level and changed.count(False) == 1:  # all others are exceptions from it
                names[changed.index(False)] = key
            if len({*names}) == len(names) and not {*names} & (taken - {key}):
                return names
    raise AssertionError(f"one part requests two values of {key}")


def _is_changed(group: list[Field], bases: Bases) -> bool:
    """Whether only blocks that an override made have this number."""
    return all(request.context[: BLOCK + 1] in bases for request in group)


def _common(group: list[Field], level: tuple[int, ...], bases: Bases) -> Iterator[str]:
    """What the contexts of a group have in common at a level.

    Blocks that an override made count only if the block that it changes does not have the number.
    """
    contexts = {request.context for request in group}
    own = [context for context in contexts if _unchanged(context, bases) not in contexts]
    for place in level:
        parts = {context[place] if place < len(context) else "" for context in own}
        if len(parts) == 1 and (part := parts.pop()):
            yield part


def _unchanged(context: tuple[str, ...], bases: Bases) -> tuple[str, ...]:
    """The context with the block that an override changed; () for other contexts."""
    base = bases.get(context[: BLOCK + 1])
    return () if base is None else (*context[:BLOCK], base, *context[BLOCK + 1 :])


def _first(group: list[Field], level: tuple[int, ...], bases: Bases) -> Iterator[str]:
    """The context of the first request of a group."""
    context = group[0].context
    yield from (context[place] for place in level if place < len(context))
