"""Change one option of a spec at a time, and compare the graphs that come of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from modelwright.compiler import ModuleGraph, Op, Scope
from modelwright.compiler.axes import Dim
from modelwright.compiler.lower import lower_spec
from modelwright.compiler.sizes import Field, InverseRoot, Size
from modelwright.spec import ModelSpec, SpecErrors, show
from modelwright.spec.load import from_data
from modelwright.spec.masks import Mask
from modelwright.spec.model import Stack
from modelwright.spec.part import Part
from modelwright.spec.signatures import Shape, shapes
from modelwright.spec.source import parse

from .pruned import IDLE
from .values import UnknownOptionError, values_of

MASKS = ("full", "causal", "causal & window(3)", "causal & prefix", "documents")
PIECES = ("ops", "values", "scopes", "fields", "outputs", "hidden", "limits", "predicts_next")
FACTS = ("lengths", "heads", "inputs", "init", "tokens")
APART = ("origin", "places", "number", "comment")
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Site:
    """An option of a spec: its path, the class and key that describe it, and its value."""

    path: Path
    owner: str
    key: str
    value: Any
    choices: tuple[Any, ...]


def sites(part: Any, path: Path = ()) -> Iterator[Site]:
    """Every option of a spec that can be given another value."""
    if isinstance(part, Stack) and not part.layers:
        return  # nothing uses what is said of its blocks
    if isinstance(part, Part):
        kinds = shapes(type(part))
        for name, field in type(part).model_fields.items():
            key = field.alias or name
            if key in kinds and key != "order":
                yield from _site(type(part), key, kinds[key], getattr(part, name), (*path, key))
    elif isinstance(part, dict):
        for name, inner in part.items():
            yield from sites(inner, (*path, name))
    elif isinstance(part, tuple):
        for index, inner in enumerate(part):
            yield from sites(inner, (*path, index))


def _site(cls: type[Part], key: str, shape: Shape, value: Any, path: Path) -> Iterator[Site]:
    name = cls.__name__
    if key == "mask":
        yield Site(path, name, key, value, MASKS)
        return
    if shape.tagged is not None and not isinstance(value, tuple):
        now = getattr(value, "type", "")
        words = tuple(word for word in shape.tagged.classes if word != now)
        yield Site(path, name, key, now, words)
    if isinstance(value, (Part, dict)) or shape.kind == "list":
        yield from sites(value, path)
    elif shape.kind == "leaf":
        try:
            choices = values_of(cls, key, shape)
        except UnknownOptionError:
            choices = ()
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number:
            choices = (
                *choices,
                value * 2,
                value + 1,
                value // 2 if isinstance(value, int) else value / 2,
            )
        yield Site(path, name, key, value, choices)


def written(spec: ModelSpec) -> dict[str, Any]:
    """The resolved spec as plain data, as `show` writes it."""
    tree = parse(show(spec), "shown.yaml", [])
    assert tree is not None
    data: dict[str, Any] = tree.plain()
    return data


def changed(data: dict[str, Any], path: Path, value: Any) -> dict[str, Any] | None:
    """A copy with another value at a path of the resolved spec; None where there is no place."""
    data = copy.deepcopy(data)
    holder: Any = data
    if path[0] == "stacks" and "stacks" not in data:
        path = path[1:]
    for step in path[:-1]:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            return None
        if isinstance(holder, str):
            return None
    holder[path[-1]] = value
    return data


@dataclass(frozen=True)
class Verdict:
    """What came of an option.

    word: `changed` (another graph), `refused` (an error says that it has no effect), `illegal`
        (no other value is allowed), or `ignored`: the same graph, whatever the value
    value: the value that was tried last
    """

    site: Site
    word: str
    value: Any = None


def judge(data: dict[str, Any], before: str, site: Site) -> Verdict:
    """Give an option another legal value, and compare the graphs."""
    found = Verdict(site, "illegal")
    for value in site.choices:
        other = None if same_value(value, site.value) else changed(data, site.path, value)
        if other is None:
            continue
        try:
            after = signature(lower_spec(from_data(other)))
        except SpecErrors as error:
            if IDLE in str(error):
                return Verdict(site, "refused", value)
            continue
        if after != before:
            return Verdict(site, "changed", value)
        found = Verdict(site, "ignored", value)
    return found


def same_value(one: Any, other: Any) -> bool:
    if isinstance(other, Mask):
        return str(one) == str(other)
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(one == other) or (one == "none" and other is None)


def signature(graph: ModuleGraph) -> Any:
    """All that a graph says of the computation, without where in the spec it was said."""
    tables = {"ops": list(graph.ops())}
    for name in (*PIECES[1:], *FACTS):
        tables[name] = getattr(graph, name)
    return repr({name: plain(table) for name, table in tables.items()})


def plain(value: Any) -> Any:
    if isinstance(value, Size):
        return value.code(), int(value)
    if isinstance(value, Field):
        return value.name, value.value
    if isinstance(value, InverseRoot):
        return float(value), value.times, plain(value.width)
    if isinstance(value, Dim):
        return value.label, plain(value.size)
    if isinstance(value, (Op, Scope)) or is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in APART]  # type: ignore[arg-type]
        return type(value).__name__, {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return repr(value)


__all__ = ["Site", "Verdict", "judge", "signature", "sites", "written"]
