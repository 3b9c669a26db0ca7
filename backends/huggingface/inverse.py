"""Convert a spec back to the config.json of a family.

Each row is inverted by itself and may guess. The result is checked by importing it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...spec import ModelSpec
from ...spec.canonical_masks import canonical
from ...spec.model import STACK_KEYS, Stack
from ...spec.positions import Rotary as RotaryPositions
from .families._rows import Token
from .family import Family, Head, Tower
from .rotary import SCALINGS, Rotary
from .values import IfSet, Key, Multiple, Only, OtherFamilyError, Row

Path = tuple[str, ...]
Config = dict[str, Any]


def guess(spec: ModelSpec, family: Family, head: Head) -> Config:
    """A guess at config.json, row by row; rows that cannot be inverted are left out."""
    template = {**family.spec, **head.spec, **family.last}
    config: Config = {}
    for path, leaf in _leaves(template):
        value = _at(spec, path)
        for kind, turn in _TURNS.items():
            if isinstance(leaf, kind):
                _put(config, turn(leaf, value, family), family)
    known = family.defaults.keys() | family.optional.keys()
    config |= {key: value for key, value in _windows(spec).items() if key in known}
    config |= family.back(spec) if family.back is not None else {}
    return {key: _as_usual(key, value, family) for key, value in config.items()}


def _as_usual(key: str, value: Any, family: Family) -> Any:
    """Convert integers to floats where the library's default is a float, since it checks this."""
    kind = family.optional.get(key, type(family.defaults.get(key)))
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if kind is float and whole else value


def _put(config: Config, found: Config, family: Family) -> None:
    """Add keys to config.json; keys of a nested part are merged."""
    for key, value in found.items():
        config[key] = {**config.get(key, {}), **value} if key in family.parts else value


def _leaves(template: Mapping[str, Any], before: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in template.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*before, key))
        elif callable(value):
            yield (*before, key), value


def _at(spec: ModelSpec, path: Path) -> Any:
    """The value of the spec at a path of the template."""
    first, *rest = path
    part: Any
    if first in ("init", "tokens"):
        part = getattr(spec, first)
    elif first in ("head", "heads"):
        name = "head" if first == "head" else rest.pop(0)
        part = spec.heads.get(name)
    elif first == "stacks":
        if rest[0] not in spec.stacks:
            raise OtherFamilyError(f"it has no stack `{rest[0]}`")
        part, rest = _in_stack(spec.stacks[rest[0]], rest[1:])
    else:
        stack = spec.stacks.get(first)
        part, rest = _in_stack(stack or next(iter(spec.stacks.values())), rest if stack else path)
    for key in rest:
        part = part[0] if isinstance(part, tuple) and part else part
        part = part.get(key) if isinstance(part, Mapping) else getattr(part, key, None)
    width = next(iter(spec.stacks.values())).d_model
    if part is None and path[-1] in ("head_dim", "kv_heads"):
        heads = _at(spec, (*path[:-1], "heads"))
        maps = 2 if _at(spec, (*path[:-1], "type")) == "differential" else 1
        return heads if path[-1] == "kv_heads" or not heads else width // (maps * heads)
    return size(part, width) if isinstance(part, str) else part


def size(text: str, width: int) -> int | str:
    """A multiple of d_model as a number; other values unchanged."""
    factor, _, rest = text.partition(" * ")
    if rest != "d_model":
        return text
    whole, _, parts = factor.partition("/")
    return int(whole) * width // int(parts or 1)


def _in_stack(stack: Stack, path: Any) -> tuple[Any, list[str]]:
    """The part of a stack, or of its first layer's block, and the rest of the path."""
    if not path:
        return stack, []
    first, *rest = path
    block = stack.blocks[stack.order[0]] if stack.order else None
    if first == "positions":
        return (*stack.positions, *(block.positions if block else ())), rest
    if first in STACK_KEYS and not (first in ("bias", "dropout", "activation", "norm") and block):
        return getattr(stack, first, None), rest
    return getattr(block, first, None), rest


# -- inverses of rows


def _key(leaf: Key, value: Any, family: Family) -> Config:
    if leaf.read is len:
        return {leaf.name: {str(i): f"LABEL_{i}" for i in range(int(value or 0))}}
    if leaf.words is None:
        plain = getattr(value, "type", value)
        if plain == "none":
            return {leaf.name: None}
        return {} if plain is None or leaf.read is not None else {leaf.name: plain}
    word = getattr(value, "type", value)
    usual = family.defaults.get(leaf.name, "")
    if leaf.words.get(usual) == word:
        return {leaf.name: usual}
    return next(({leaf.name: theirs} for theirs, ours in leaf.words.items() if ours == word), {})


def _multiple(leaf: Multiple, value: Any, family: Family) -> Config:
    return {leaf.name: value} if isinstance(value, int) else {}


def _only(leaf: Only, value: Any, family: Family) -> Config:
    if alike(value, leaf.then):
        return {leaf.name: leaf.value}
    if isinstance(leaf.value, bool):
        return {leaf.name: not leaf.value}
    return {}


def _if_set(leaf: IfSet, value: Any, family: Family) -> Config:
    if isinstance(leaf.then, Key):
        return _key(leaf.then, value, family)
    return {leaf.name: alike(value, leaf.then)}


def _token(leaf: Token, value: Any, family: Family) -> Config:
    return {leaf.name: list(value) if isinstance(value, tuple) else value}


def _row(leaf: Row, value: Any, family: Family) -> Config:
    return {} if value is None else leaf.write(value)


def _rotary(leaf: Rotary, value: Any, family: Family) -> Config:
    parameters = None if leaf.layer_type else _turned(value)
    if parameters is None:
        return {}
    kind = parameters.pop("rope_type")
    config: Config = {"rope_theta": parameters.pop("rope_theta")}
    fraction = parameters.pop("partial_rotary_factor")
    if fraction != leaf.fraction:
        config["partial_rotary_factor"] = fraction
    if kind != "default":
        config["rope_scaling"] = {"rope_type": kind, **parameters}
    return config


def _turned(positions: Any) -> Config | None:
    """Rotary positions as the library's parameters; None without rotary positions."""
    found = [part for part in positions or () if isinstance(part, RotaryPositions)]
    if not found:
        return None
    first, scaling = found[0], found[0].scaling
    config: Config = {
        "rope_type": "default" if scaling.type == "none" else scaling.type,
        "rope_theta": float(first.theta),
        "partial_rotary_factor": float(first.fraction),
    }
    for ours, theirs in SCALINGS.get(scaling.type, {}).items():
        option = getattr(scaling, ours, None)
        if option is not None:
            config[theirs] = list(option) if isinstance(option, tuple) else option
    if scaling.type == "yarn" and not scaling.mscale_all_dims:
        config = {key: value for key, value in config.items() if not key.startswith("mscale")}
        growth = 1 + 0.1 * scaling.mscale * math.log(max(scaling.factor, 1))
        config |= {} if scaling.mscale == 1 else {"attention_factor": growth}
    return config


def _tower(leaf: Tower, value: Any, family: Family) -> Config:
    """The values of a config part, from its stack."""
    alone = ModelSpec.model_construct(stacks={leaf.key: value}, heads={}, init=None, tokens=None)
    return {leaf.key: guess(alone, leaf.part, Head())}


def alike(value: Any, template: Any) -> bool:
    """Whether a part of a spec equals a constant part of a template."""
    if isinstance(value, tuple) and not isinstance(template, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(template, Mapping):
        return all(alike(getattr(value, key, None), inner) for key, inner in template.items())
    if isinstance(template, (list, tuple)):
        return not isinstance(value, bool) and list(value or ()) == list(template)
    return bool(getattr(value, "type", value) == template)


def _windows(spec: ModelSpec) -> Config:
    """`layer_types` and window sizes, from the masks of the layers."""
    stack = list(spec.stacks.values())[-1]
    kinds, widths = [], set()
    for name in stack.order:
        mask = str(canonical(stack.blocks[name].mask))
        inside = mask.partition("window(")[2].partition(")")[0]
        kinds.append("sliding_attention" if inside else "full_attention")
        widths |= {int(inside)} if inside.isdigit() else set()
    if len(widths) != 1:
        return {"sliding_window": None, "use_sliding_window": False, "layer_types": None}
    mixed = len(set(kinds)) > 1
    return {
        **_rotary_of_kinds(stack, kinds),
        "sliding_window": widths.pop(),
        "use_sliding_window": True,
        "layer_types": kinds if mixed else None,
        "max_window_layers": kinds.index("sliding_attention"),
    }


def _rotary_of_kinds(stack: Stack, kinds: list[str]) -> Config:
    """Rotary parameters by layer type, if they differ."""
    by_kind: dict[str, Config] = {}
    for name, kind in zip(stack.order, kinds, strict=True):
        turned = _turned(stack.blocks[name].positions)
        if turned is not None:
            by_kind[kind] = turned
    if len(by_kind) < 2 or len({str(each) for each in by_kind.values()}) == 1:
        return {}
    return {"rope_parameters": by_kind}


_TURNS: dict[type, Callable[[Any, Any, Family], Config]] = {
    Key: _key,
    Multiple: _multiple,
    Only: _only,
    IfSet: _if_set,
    Token: _token,
    Rotary: _rotary,
    Row: _row,
    Tower: _tower,
}
