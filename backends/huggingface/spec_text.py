"""A spec as YAML, so that it can travel in the config.json of an exported folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...spec import ModelSpec, SpecErrors, from_data
from .layers import folded, said_once
from .text import shortest, yaml_text

SPEC_KEY = "spec"
"""The key of config.json that holds the spec of a folder with its own code."""
FAMILY = "modelwright_"
"""What the `model_type` of a folder with its own code begins with."""

STACKS = {
    "decoder-only": ("decoder",),
    "encoder-only": ("encoder",),
    "encoder-decoder": ("encoder", "decoder"),
}
"""The stacks of each family, by the names that it gives them."""


def spec_text(spec: ModelSpec) -> str:
    """YAML that `loads` reads as the same spec, without the keys that change nothing."""
    comment = f"{spec.name}: the spec of this model"
    for data in (_by_family(spec), _by_stacks(spec)):
        if data is not None and _same(data, spec):
            return yaml_text(shortest(data), comment)
    raise AssertionError(f"{spec.name} cannot be written as YAML")


def _by_stacks(spec: ModelSpec) -> dict[str, Any]:
    """The general form: `stacks`, each with a block for each kind of layer."""
    data: dict[str, Any] = _plain(spec.model_dump())
    data.pop("family", None)
    for stack in data["stacks"].values():
        stack["pattern"] = stack.pop("order")
    return data


def _by_family(spec: ModelSpec) -> dict[str, Any] | None:
    """The form that people write: the family's stacks at the top, layers of one kind folded."""
    names = STACKS.get(spec.family or "", ())
    data: dict[str, Any] = _plain(spec.model_dump())
    stacks = data.pop("stacks")
    if not names or tuple(stacks) != names:
        return None
    heads = data.pop("heads", {})
    data |= {"head": heads["head"]} if set(heads) == {"head"} else {"heads": heads}
    if len(names) == 1:
        return {**data, **_folded(stacks[names[0]])}
    return said_once({**data, **{name: _folded(stack) for name, stack in stacks.items()}})


def _folded(stack: Mapping[str, Any]) -> dict[str, Any]:
    """A stack with its blocks as one block, or as `blocks`, a `pattern` and `overrides`."""
    rest = {key: value for key, value in stack.items() if key not in ("blocks", "order")}
    blocks = stack["blocks"]
    return {**rest, **folded([(name, blocks[name]) for name in stack["order"]])}


def _plain(value: Any) -> Any:
    """Dumped data as people write it: no keys that were left out, one part instead of a list."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
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
