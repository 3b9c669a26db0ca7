"""A spec as YAML, to be stored in the config.json of an exported folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...spec import ModelSpec, SpecErrors, from_data
from .layers import common_once, folded, without_replaced
from .text import shortest, yaml_text

SPEC_KEY = "spec"
"""The key of config.json that contains the spec, in a folder with its own code."""
FAMILY = "modelwright_"
"""Prefix of the `model_type` of a folder with its own code."""

LISTS = ("sublayers", "layers", "score_bias", "embed")
"""Keys whose value is a list even if it has one component; `layers` are those of a conv input."""

STACKS = {
    "decoder-only": ("decoder",),
    "encoder-only": ("encoder",),
    "encoder-decoder": ("encoder", "decoder"),
}
"""The stack names of each family."""


def spec_text(spec: ModelSpec, comment: str = "") -> str:
    """YAML that `loads` reads as an equal spec, without keys that have no effect."""
    comment = comment or f"{spec.name}: the spec of this model"
    for data in (_by_family(spec), _by_stacks(spec)):
        if data is not None and _same(data, spec):
            return yaml_text(shortest(data), comment)
    raise AssertionError(f"{spec.name} cannot be written as YAML")


def _by_stacks(spec: ModelSpec) -> dict[str, Any]:
    """The general form: `stacks`, each with named blocks."""
    data: dict[str, Any] = _plain(spec.model_dump())
    data.pop("family", None)
    for stack in data["stacks"].values():
        order = stack.pop("order")
        stack |= {"pattern": order} if order else {"layers": 0}
        if not order:
            del stack["blocks"]
    return data


def _by_family(spec: ModelSpec) -> dict[str, Any] | None:
    """The usual form: a `family`, and stacks without named blocks if layers are equal."""
    names = STACKS.get(spec.family or "", ())
    data: dict[str, Any] = _plain(spec.model_dump())
    stacks = data.pop("stacks")
    if not names or tuple(stacks) != names:
        return None
    heads = data.pop("heads", {})
    data |= {"head": heads["head"]} if set(heads) == {"head"} else {"heads": heads}
    if len(names) == 1:
        return {**data, **_folded(stacks[names[0]])}
    folded_stacks = {name: _folded(stack) for name, stack in stacks.items()}
    return without_replaced(common_once({**data, **folded_stacks}))


def _folded(stack: Mapping[str, Any]) -> dict[str, Any]:
    """A stack with one unnamed block, or with `blocks`, a `pattern` and `overrides`."""
    rest = {key: value for key, value in stack.items() if key not in ("blocks", "order")}
    blocks = stack["blocks"]
    if not stack["order"]:
        return {**rest, "layers": 0}
    return {**rest, **folded([(name, blocks[name]) for name in stack["order"]])}


def _plain(value: Any) -> Any:
    """Dumped data without unset keys, and with single components instead of lists."""
    if isinstance(value, Mapping):
        found = {key: _plain(inner) for key, inner in value.items() if inner is not None}
        singles = {key: [found[key]] for key in LISTS if isinstance(found.get(key), Mapping)}
        return found | singles
    if isinstance(value, (list, tuple)):
        alone = len(value) == 1 and isinstance(value[0], Mapping)
        return _plain(value[0]) if alone else [_plain(inner) for inner in value]
    return value


def _same(data: Mapping[str, Any], spec: ModelSpec) -> bool:
    try:
        again = from_data(data).model_dump()
    except SpecErrors:
        return False
    return {**again, "family": None} == {**spec.model_dump(), "family": None}
