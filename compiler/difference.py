"""Compare two specs: all resolved values, and where each was written.

Stacks are matched by name, or with each other if both specs have one. Blocks are matched by name if
both stacks have the same names, else by layers. If one line of a file changes several values, they
are one change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from ..spec.display import DERIVED, origin, pattern, scalar
from ..spec.errors import Mark
from ..spec.locate import locate
from ..spec.masks import Mask
from ..spec.model import Block, ModelSpec, Stack
from ..spec.part import Nothing, Part
from .change import ABSENT, Change, Path, Side


def every_change(before: ModelSpec, after: ModelSpec) -> list[Change]:
    """All changed values, in the order of the resolved spec; empty for equal specs."""
    return list(_Comparison(before, after).models())


def changes(before: ModelSpec, after: ModelSpec) -> list[Change]:
    """All differences; values changed by one line of a file are one difference."""
    return [widest(group) for group in by_cause(before, after)]


def by_cause(before: ModelSpec, after: ModelSpec) -> list[list[Change]]:
    """All changed values, grouped by the line of a file that changed them."""
    groups: dict[Any, list[Change]] = {}
    for change in every_change(before, after):
        groups.setdefault(_cause(change), []).append(change)
    return list(groups.values())


def widest(group: Sequence[Change]) -> Change:
    """The outermost of several changes with one cause, with the paths of the others."""
    found = min(group, key=lambda change: len(change.place))
    return replace(found, also=tuple(each.place for each in group if each is not found))


def _cause(change: Change) -> Any:
    """What changes with one cause have in common: key, values, marks."""
    marks = [(side.text, side.where, _place(side.mark)) for side in (change.before, change.after)]
    written = any(side.mark is not None for side in (change.before, change.after))
    return (change.place[-1], *marks) if written else (change.before.path, change.after.path)


def _place(mark: Mark | None) -> tuple[str, int, int] | None:
    return None if mark is None else (mark.file, mark.line, mark.column)


class _Comparison:
    """Walks over both specs in parallel."""

    def __init__(self, before: ModelSpec, after: ModelSpec) -> None:
        self.before, self.after = before, after

    def models(self) -> Iterator[Change]:
        skip = ("stacks", "heads")
        yield from self.fields(self.before, self.after, (), (), skip)
        for a, b in _namesakes(self.before.stacks, self.after.stacks):
            one, other = self.before.stacks.get(a), self.after.stacks.get(b)
            yield from self.values(one, other, ("stacks", a or b), ("stacks", b or a))
        for a, b in _namesakes(self.before.heads, self.after.heads):
            head, new = self.before.heads.get(a), self.after.heads.get(b)
            yield from self.values(head, new, ("heads", a or b), ("heads", b or a))

    def stacks(self, one: Stack, other: Stack, a: Path, b: Path) -> Iterator[Change]:
        yield from self.fields(one, other, a, b, ("blocks", "order"))
        was, now = (scalar(tuple(pattern(stack.order))) for stack in (one, other))
        if was != now:
            yield Change(Side((*a, "pattern"), was, ""), Side((*b, "pattern"), now, ""))
        for name, new in _counterparts(one, other):
            block, fresh = one.blocks.get(name), other.blocks.get(new)
            blocks = (*a, "blocks", name or new), (*b, "blocks", new or name)
            yield from self.values(block, fresh, *blocks)

    def values(self, one: Any, other: Any, a: Path, b: Path) -> Iterator[Change]:
        """Compare two corresponding values; None if one spec has none."""
        if isinstance(one, Stack) and isinstance(other, Stack):
            yield from self.stacks(one, other, a, b)
        elif isinstance(one, Part) and isinstance(other, Part):
            if type(one) is not type(other):
                yield self.change(one, other, a, b)
            yield from self.fields(one, other, a, b)
        elif isinstance(one, dict) and isinstance(other, dict):
            for key in dict.fromkeys([*one, *other]):
                yield from self.values(one.get(key), other.get(key), (*a, key), (*b, key))
        elif _parts(one) and _parts(other):
            for index, (left, right) in enumerate(zip_longest(one, other)):
                yield from self.values(left, right, (*a, index), (*b, index))
        elif one != other:
            yield self.change(one, other, a, b)
            yield from self.inside(one, other, a, b)

    def inside(self, one: Any, other: Any, a: Path, b: Path) -> Iterator[Change]:
        """Written options of a part that the other spec does not have."""
        part, path = (one, a) if isinstance(one, Part) else (other, b)
        if isinstance(part, Part) and not isinstance(part, (Stack, Block)):
            spec = self.before if part is one else self.after
            for name, field in type(part).model_fields.items():
                place = (*path, field.alias or name)
                if name != "type" and _is_written(spec, part, name, place):
                    mine, theirs = _ordered(getattr(part, name), part is one)
                    yield from self.values(mine, theirs, place, place)

    def fields(
        self, one: Part, other: Part, a: Path, b: Path, skip: Sequence[str] = ()
    ) -> Iterator[Change]:
        """Compare the options of two parts. Options of only one part count if they are written."""
        left, right = type(one).model_fields, type(other).model_fields
        for name in dict.fromkeys([*left, *right]):
            if name in skip or name == "type":
                continue
            key = (left.get(name) or right[name]).alias or name
            here, there = (*a, key), (*b, key)
            if name in left and name in right:
                yield from self.values(getattr(one, name), getattr(other, name), here, there)
                continue
            part, spec, place = (
                (one, self.before, here) if name in left else (other, self.after, there)
            )
            if _is_written(spec, part, name, place):
                mine, theirs = _ordered(getattr(part, name), part is one)
                yield from self.values(mine, theirs, here, there)

    def change(self, one: Any, other: Any, a: Path, b: Path) -> Change:
        option = (one is not None and other is not None) or _is_option(a)
        return Change(_side(self.before, a, one, option), _side(self.after, b, other, option))


def _ordered(value: Any, first: bool) -> tuple[Any, Any]:
    """The value in one spec, and nothing in the other."""
    return (value, None) if first else (None, value)


def _is_option(path: Path) -> bool:
    """Whether None means `not set`, not the absence of a named part."""
    return isinstance(path[-1], str) and path[-1] in DERIVED


def _side(spec: ModelSpec, path: Path, value: Any, option: bool) -> Side:
    if value is None and not option:
        return Side(path, ABSENT, "", None)
    place = (*path, "type") if isinstance(value, Part) and hasattr(value, "type") else path
    mark = _mark(spec, place)
    if mark is None and place != path and (held := _mark(spec, path)) is not None:
        place, mark = path, held  # a mapping without `type`
    part = isinstance(value, Part) and not isinstance(value, Nothing)
    return Side(path, _text(value, str(path[-1])), origin(spec, place), mark, part)


def _mark(spec: ModelSpec, path: Path) -> Mark | None:
    """Where a value was written; None for a default."""
    if spec._tree is None:
        return None
    place = locate(spec._tree, path)
    return place.node.mark if place.found and place.node.mark.why != "default" else None


def _is_written(spec: ModelSpec, part: Part, name: str, path: Path) -> bool:
    """Whether the value is written; for a spec from Python, whether it differs from the default."""
    if spec._tree is not None:
        return _mark(spec, path) is not None
    return bool(getattr(part, name) != type(part).model_fields[name].default)


def _text(value: Any, key: str) -> str:
    if value is None:
        return DERIVED.get(key, "not set")
    if isinstance(value, Stack):
        return f"a stack of {value.layers} layers"
    if isinstance(value, Block):
        return "a block"
    if isinstance(value, Part):
        return str(getattr(value, "type", "given"))
    if isinstance(value, tuple) and any(isinstance(each, (Part, Mask)) for each in value):
        return f"[{', '.join(_text(each, key) for each in value)}]"
    return scalar(value) if value != () else "none"


def _parts(value: Any) -> bool:
    """Whether it is a list of parts, such as `positions`."""
    return isinstance(value, tuple) and all(isinstance(each, Part) for each in value)


def _namesakes(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str]]:
    """Corresponding names; "" if one spec has none."""
    if len(one) == len(other) == 1:
        return [(next(iter(one)), next(iter(other)))]
    names = dict.fromkeys([*one, *other])
    return [(name if name in one else "", name if name in other else "") for name in names]


def _counterparts(one: Stack, other: Stack) -> list[tuple[str, str]]:
    """Corresponding blocks: by name if all names occur in both, else by layers."""
    if one.blocks.keys() == other.blocks.keys():
        return [(name, name) for name in one.blocks]
    pairs = list(dict.fromkeys(zip(one.order, other.order, strict=False)))
    left = [(name, "") for name in one.blocks if name not in {a for a, _ in pairs}]
    right = [("", name) for name in other.blocks if name not in {b for _, b in pairs}]
    return [*pairs, *left, *right]
