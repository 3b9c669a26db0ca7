"""The accepted values of each key, from the annotations of the classes.

Error messages, the JSON Schema, the language reference and `show` are derived from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .model import ModelSpec
from .part import Part, Tagged
from .source import Node

Kind = Literal["leaf", "component", "part", "map", "list"]


@dataclass(frozen=True)
class Shape:
    """What a key accepts.

    kind: a plain value (leaf); a component with a `type`; a mapping with fixed keys (part); a
        mapping from names (map); a list
    inner: element type of a map or a list
    tagged: types of a component
    cls: class of a part
    leaf: description of a plain value (`Wanted`, a Literal, `bool` …)
    """

    kind: Kind
    inner: Shape | None = None
    tagged: Tagged | None = None
    cls: type[Part] | None = None
    leaf: Any = None


def shape_of(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    """Read an annotation."""
    for marker in metadata:
        if isinstance(marker, Tagged):
            return Shape("component", tagged=marker)
    for marker in metadata:
        if hasattr(marker, "words"):
            return Shape("leaf", leaf=marker)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(args[0], args[1:])
    if origin in (Union, UnionType):
        inner = [a for a in args if a is not NoneType]
        return shape_of(inner[0]) if len(inner) == 1 else Shape("leaf", leaf=annotation)
    if origin is tuple:
        return Shape("list", inner=shape_of(args[0]))
    if origin is dict:
        return Shape("map", inner=shape_of(args[1]))
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return Shape("part", cls=annotation)
    return Shape("leaf", leaf=annotation)


def key_of(name: str, field: FieldInfo) -> str:
    """The key of an attribute: `from` for `from_`."""
    return field.alias or name


@cache
def shapes(cls: type[Part]) -> dict[str, Shape]:
    """All keys of a part except `type`."""
    return {
        key_of(name, field): shape_of(field.annotation, field.metadata)
        for name, field in cls.model_fields.items()
        if name != "type"
    }


@dataclass(frozen=True)
class Holder:
    """The mapping at a path.

    cls: its class; None if its type is unknown
    key: its key
    """

    cls: type[Part] | None
    key: str
    tagged: Tagged | None = None


def holder(path: Sequence[str | int], tree: Node) -> Holder:
    """The mapping at a path of the resolved tree."""
    shape: Shape | None = Shape("part", cls=ModelSpec)
    node: Node | None = tree
    key = "the spec"
    for part in path:
        shape = _step(shape, part, node)
        node = _down(node, part)
        if isinstance(part, str):
            key = part
    if shape is None:
        return Holder(None, key)
    if shape.tagged is not None:
        return Holder(shape.tagged.pick(_type_data(node)), key, shape.tagged)
    return Holder(shape.cls, key)


def _step(shape: Shape | None, part: str | int, node: Node | None) -> Shape | None:
    if shape is None or shape.kind in ("map", "list"):
        return shape.inner if shape else None
    cls = shape.tagged.pick(_type_data(node)) if shape.tagged else shape.cls
    return shapes(cls).get(str(part)) if cls else None


def _down(node: Node | None, part: str | int) -> Node | None:
    if node is not None and isinstance(node.value, dict):
        return node.value.get(str(part))
    if node is not None and isinstance(node.value, list) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    return None


def _type_data(node: Node | None) -> dict[str, Any]:
    kind = node.get("type") if node else None
    return {} if kind is None else {"type": kind.value}
