"""Write one more option into a spec, at every place where it may stand, with every value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelwright.spec.levels import DEFAULTS
from modelwright.spec.model import Block, ModelSpec, SpecialTokens, Stack
from modelwright.spec.part import COMPONENTS, Part, Tagged
from modelwright.spec.signatures import Shape, shapes
from modelwright.spec.support import LATER_OPTIONS, LATER_TYPES

from .values import UnknownOptionError, values_of

Path = tuple[str | int, ...]
Data = dict[str, Any]

LEFT_OUT = {"order", "blocks", "stacks", "streams", "sublayers", "condition", "argument"}
"""Settled on the way, refused as not supported yet, or names."""

OWN_VALUES: dict[str, tuple[Any, ...]] = {
    "mask": (
        "full",
        "causal",
        "causal & window(3)",
        "causal & prefix",
        "documents",
        ["causal", "causal & window(2)"],
    ),
    "heads": (2, 1, 4),
    "kv_heads": (1, 2),
    "head_dim": (4, 8),
    "memory": ("encoder",),
    "add": ({"token_type_ids": 2},),
    "tied": (True, False),
    "bias": (True, False),
    "terms": (["content_to_position"], ["position_to_content"]),
    "classes": (3,),
    "short_factor": ([1.0, 2.0],),
    "long_factor": ([2.0, 3.0],),
}
"""Option -> values, where `values.py` has none or too few. A `tied` input names a stack."""


@dataclass(frozen=True)
class Attempt:
    """An option with a value at a place of a document.

    path: where it is written, in the data of the document
    owner: the class that describes the option
    default: what the language gives the option; None where it has no value of its own
    """

    path: Path
    owner: str
    value: Any
    default: Any = None

    @property
    def key(self) -> str:
        return f"{self.owner}.{self.path[-1]}"

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.value}"


def attempts(data: Data) -> Iterator[Attempt]:
    """Every option of the language at every place of a document, with each of its values."""
    yield from _of_classes(data, (), (ModelSpec, Stack, Block))
    named = data.get("stacks")
    stacks = {("stacks", name): stack for name, stack in (named or {}).items()}
    stacks |= {(name,): data[name] for name in ("encoder", "decoder") if name in data}
    if data.get("family") and not stacks:
        stacks = {(name,): {} for name in _members(data["family"])}
    for path, stack in [((), data), *stacks.items()]:
        if path:
            yield from _of_classes(stack, path, (Stack, Block))
        for key in ("blocks", "overrides"):
            for name, block in (stack.get(key) or {}).items():
                if isinstance(block, dict):
                    yield from _of_classes(block, (*path, key, name), (Block,))


def _members(family: str) -> list[str]:
    return [name for name in ("encoder", "decoder") if name in family]


def _of_classes(data: Data, path: Path, classes: tuple[type[Part], ...]) -> Iterator[Attempt]:
    seen: set[str] = set()
    for cls in classes:
        for key, shape in shapes(cls).items():
            if key not in seen | LEFT_OUT and not (key == "heads" and cls is ModelSpec):
                seen.add(key)
                yield from _of_option(cls, key, shape, data.get(key), (*path, key))
    if not path:
        tagged = COMPONENTS["head"]
        yield from _of_component(ModelSpec, tagged, data.get("head"), ("head",))
        for name, head in (data.get("heads") or {}).items():
            yield from _of_component(ModelSpec, tagged, head, ("heads", name))


def _of_option(cls: type[Part], key: str, shape: Shape, now: Any, path: Path) -> Iterator[Attempt]:
    if _later(cls, key):
        return
    if shape.kind == "list" and shape.inner is not None and shape.inner.tagged is not None:
        if isinstance(now, list):
            for index, one in enumerate(now):
                yield from _of_component(cls, shape.inner.tagged, one, (*path, index))
        else:
            yield from _of_component(cls, shape.inner.tagged, now, path)
    elif shape.kind == "component" and shape.tagged is not None:
        yield from _of_component(cls, shape.tagged, now, path)
    elif shape.kind == "part" and shape.cls is not None:
        needed = _needed(shape.cls)
        if now is None and needed:
            yield Attempt(path, cls.__name__, needed)
        else:
            yield from _of_part(shape.cls, now or {}, path)
    else:
        for value in choices(cls, key, shape, now):
            yield Attempt(path, cls.__name__, value, default_of(cls, key))


def _of_component(cls: type[Part], tagged: Tagged, now: Any, path: Path) -> Iterator[Attempt]:
    """Every other type with what it needs, and the options of the type that is there."""
    for name, kind in tagged.classes.items():
        if not issubclass(kind, tuple(LATER_TYPES)):
            needed = _needed(kind)
            value = {"type": name, **needed} if needed else name
            yield Attempt(path, cls.__name__, value, tagged.default or "none")
    there = {"type": now} if isinstance(now, str) else now
    found = tagged.pick(there if isinstance(there, dict) else {})
    if found is None or (isinstance(now, list)) or (now is None and tagged.default is None):
        return
    yield from _of_part(found, there or {}, path)


def _of_part(cls: type[Part], now: Data, path: Path) -> Iterator[Attempt]:
    for key, shape in shapes(cls).items():
        if key not in LEFT_OUT or (cls is SpecialTokens):
            yield from _of_option(cls, key, shape, now.get(key), (*path, key))


def _needed(cls: type[Part]) -> Data:
    """The options that a part cannot be without, each with its first value."""
    found: Data = {}
    for name, field in cls.model_fields.items():
        key = field.alias or name
        if field.is_required() and key != "type":
            shape = shapes(cls)[key]
            if shape.kind == "component" and shape.tagged is not None:
                found[key] = shape.tagged.default or next(iter(shape.tagged.classes))
            elif shape.kind == "list" and shape.inner is not None and shape.inner.cls:
                found[key] = [_needed(shape.inner.cls)]
            elif values := choices(cls, key, shape, None):
                found[key] = values[0]
    return found


def _later(cls: type[Part], key: str) -> bool:
    return any(issubclass(cls, later) and key in keys for later, keys in LATER_OPTIONS.items())


def choices(cls: type[Part], key: str, shape: Shape, now: Any) -> list[Any]:
    """The values that an option is tried with, its present one left out."""
    found: list[Any] = []
    if key in OWN_VALUES and not (key == "heads" and shape.kind == "map"):
        found += OWN_VALUES[key]
    try:
        found += values_of(cls, key, shape)
    except UnknownOptionError:
        pass
    if isinstance(now, (int, float)) and not isinstance(now, bool):
        found += [now * 2, now + 1]
    return [v for i, v in enumerate(found) if repr(v) not in map(repr, [now, *found[:i]])]


def default_of(cls: type[Part], key: str) -> Any:
    """The value of an option that nobody writes."""
    for name, field in cls.model_fields.items():
        if key in (name, field.alias) and not field.is_required():
            return str(field.default) if key == "mask" else default_word(field.default, key)
    return None


def default_word(default: Any, key: str) -> Any:
    if isinstance(default, Part):
        return getattr(default, "type", None)
    return DEFAULTS.get(key) if default is None else default


def value_at(data: Data, path: Path) -> Any:
    """What is written at a path of a document; None where nothing is."""
    found: Any = data
    for step in path:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int):
            found = found[step]
        else:
            return None
    return found


def with_value(data: Data, path: Path, value: Any) -> Data:
    """A copy of a document with a value at a path. A word on the way becomes a mapping."""
    data = copy.deepcopy(data)
    holder: Any = data
    for step in path[:-1]:
        if isinstance(holder, list):
            if isinstance(holder[step], str):
                holder[step] = {"type": holder[step]}
            holder = holder[step]
            continue
        inner = holder.setdefault(step, {})
        if isinstance(inner, str):
            inner = holder[step] = {"type": inner}
        holder = inner
    holder[path[-1]] = value
    return data
