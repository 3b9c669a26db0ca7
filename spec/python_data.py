"""Specs built in Python from parts or plain data; levels are resolved as in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import Mark, SpecErrors
from .levels import resolve
from .merge import Reading
from .model import resolve_with
from .part import Part
from .source import Node, from_data


def resolve_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve plain data or parts, in written or resolved form.

    Raises SpecErrors if the levels are inconsistent.
    """
    reading = Reading()
    unpacked: dict[str, Any] = _unpacked(data)
    family = unpacked.pop("family", None) if "stacks" in unpacked else None
    for stack in unpacked.get("stacks", {}).values():
        if isinstance(stack, dict) and stack.get("order"):
            stack["pattern"] = stack.pop("order")
    tree = from_data(unpacked, Mark("<python>", 0, 0))
    resolved = resolve(tree, Path(), reading)
    if reading.problems:
        raise ValueError(str(SpecErrors(reading.problems)))
    if family is not None:
        resolved.value["family"] = Node(family, tree.mark)
    plain: dict[str, Any] = resolved.plain()
    return plain


def _unpacked(value: Any) -> Any:
    """Parts as plain data, without unset options."""
    if isinstance(value, Part):
        unpacked = {k: _unpacked(getattr(value, k)) for k in value.model_fields_set}
        if "type" in type(value).model_fields:
            unpacked["type"] = type(value).model_fields["type"].default
        return {k.removesuffix("_"): v for k, v in unpacked.items() if v is not None}
    if isinstance(value, Mapping):
        return {k: _unpacked(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_unpacked(v) for v in value]
    return value


resolve_with(resolve_data)
