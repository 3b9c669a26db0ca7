"""JSON Schema of specs, for completion and checks in editors.

Inner levels inherit from outer ones, so almost nothing is required. Rules that relate several keys
are checked by `check` only.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from .docs import options, summary
from .files import MAX_PATH
from .layers import ENTRY, LAYER, MOST_BLOCKS
from .model import WRITTEN, Block, ModelSpec, Stack
from .part import COMPONENTS, Part, Tagged
from .scalars import BLOCK_NAME_JSON, NAME_JSON
from .signatures import Shape, shapes
from .surface import FAMILIES, MOST_STACKS

Json = dict[str, Any]
_FILE = {"type": "string", "maxLength": MAX_PATH}
ONE_OR_MANY = ("positions", "input")  # a single value means a list of one
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Json:
    """The schema as plain data, with a fixed order of keys."""
    definitions = {
        tagged.key: _component(tagged)
        for key, tagged in sorted(COMPONENTS.items())
        if key == tagged.key
    }
    block = _keys(Block)
    stack = {**_stack_keys(), **block}
    definitions["block"] = _closed(block, summary(Block))
    definitions["stack"] = _closed(stack, summary(Stack))
    return {
        "$schema": DRAFT,
        "title": "Modelwright spec",
        "description": "A transformer model for modelwright.",
        "$defs": dict(sorted(definitions.items())),
        **_closed({**_model_keys(), **{k: v for k, v in stack.items() if k != "extends"}}),
        "required": ["name"],
        "anyOf": [{"required": [key]} for key in ("family", "stacks", "extends")],
        "allOf": [*_exclusive(), *_family_rules()],
    }


def _exclusive() -> list[Json]:
    """Pairs of mutually exclusive keys."""
    pairs = (("family", "stacks"), ("head", "heads"), ("encoder", "stacks"), ("decoder", "stacks"))
    return [{"not": {"required": list(pair)}} for pair in pairs]


def _family_rules() -> list[Json]:
    """`encoder` and `decoder` are only allowed for families that have them."""
    return [
        {
            "if": {"properties": {"family": {"const": family}}, "required": ["family"]},
            "then": {"not": {"required": [key]}},
        }
        for family, stacks in FAMILIES.items()
        for key in ("encoder", "decoder")
        if key not in stacks
    ]


def _closed(properties: Json, description: str = "") -> Json:
    described = {"description": description} if description else {}
    return {
        **described,
        "type": "object",
        "properties": dict(sorted(properties.items())),
        "additionalProperties": False,
    }


def _keys(cls: type[Part]) -> Json:
    """All keys of a part, with descriptions."""
    meaning = options(cls)
    return {
        key: _noted(_value(key, shape), meaning.get(key, "")) for key, shape in shapes(cls).items()
    }


def _noted(schema: Json, description: str) -> Json:
    return {"description": description, **schema} if description else schema


def _stack_keys() -> Json:
    keys = _keys(Stack)
    del keys["order"]
    blocks = {**_named({"$ref": "#/$defs/block"}), "maxProperties": MOST_BLOCKS}
    blocks["propertyNames"] = BLOCK_NAME_JSON
    keys["blocks"] = _noted(blocks, options(Stack)["blocks"])
    entry = {"type": "string", "pattern": ENTRY.pattern.replace(r"\Z", "$")}
    keys["pattern"] = _noted({"type": "array", "items": entry, "minItems": 1}, WRITTEN["pattern"])
    layer = f"^(?:{LAYER.pattern.replace(chr(92) + 'Z', '')})$"
    change = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/block"}]}
    overrides = {"type": "object", "patternProperties": {layer: change}}
    keys["overrides"] = _noted({**overrides, "additionalProperties": False}, WRITTEN["overrides"])
    keys["extends"] = _noted({**_FILE, "pattern": "^[^#]+#[^#]+$"}, WRITTEN["extends"])
    return keys


def _model_keys() -> Json:
    keys = _keys(ModelSpec)
    stack = {"$ref": "#/$defs/stack"}
    stacks = {**_named(stack), "minProperties": 1, "maxProperties": MOST_STACKS}
    stacks["propertyNames"] = NAME_JSON
    keys["stacks"] = _noted(stacks, options(ModelSpec)["stacks"])
    heads = {"propertyNames": NAME_JSON, "maxProperties": MOST_STACKS}
    keys["heads"] = {**keys["heads"], **heads}
    keys["head"] = _noted({"$ref": "#/$defs/head"}, WRITTEN["head"])
    keys["extends"] = _noted({**_FILE, "pattern": "^[^#]+$"}, WRITTEN["extends"])
    for name in ("encoder", "decoder"):
        keys[name] = _noted(stack, WRITTEN[name])
    return keys


def _named(inner: Json) -> Json:
    """A map from names to elements, each of which may be `none`."""
    return {"type": "object", "additionalProperties": {"anyOf": [{"const": "none"}, inner]}}


def _value(key: str, shape: Shape) -> Json:
    if shape.kind == "component" and shape.tagged is not None:
        return {"$ref": f"#/$defs/{shape.tagged.key}"}
    if shape.kind == "part" and shape.cls is not None:
        return _closed(_keys(shape.cls), summary(shape.cls))
    if shape.kind == "map" and shape.inner is not None:
        return _named(_value(key, shape.inner))
    if shape.kind == "list" and shape.inner is not None:
        item = _value(key, shape.inner)
        array = {"type": "array", "items": item}
        return {"anyOf": [item, array]} if key in ONE_OR_MANY else array
    return _leaf(shape.leaf)


def _leaf(leaf: Any) -> Json:
    if hasattr(leaf, "json"):
        return dict(leaf.json)
    if leaf is bool:
        return {"type": "boolean"}
    if get_origin(leaf) is Literal:
        return {"enum": list(get_args(leaf))}
    if get_origin(leaf) in (Union, UnionType):
        return {"anyOf": [_leaf(a) for a in get_args(leaf)]}
    return {"type": "string"}


def _component(tagged: Tagged) -> Json:
    """A word, or a mapping whose keys depend on its type; without `type`, any of the keys.

    The type may be inherited from an outer level, so a mapping without `type` is valid.
    """
    words = [{"const": t, "description": summary(cls)} for t, cls in tagged.classes.items()]
    by_type = {name: _keys(cls) for name, cls in tagged.classes.items()}
    variants: dict[str, list[Json]] = {}
    for keys in by_type.values():
        for key, schema in keys.items():
            if schema not in variants.setdefault(key, []):
                variants[key].append(schema)
    every = {key: some[0] if len(some) == 1 else {"anyOf": some} for key, some in variants.items()}
    rules = []
    for name, keys in by_type.items():
        condition = {"properties": {"type": {"const": name}}, "required": ["type"]}
        own = {key: schema for key, schema in keys.items() if len(variants[key]) > 1}
        names = {"propertyNames": {"enum": ["type", *keys]}}
        rules.append({"if": condition, "then": {"properties": own, **names} if own else names})
    default = {} if tagged.default is None else {"default": tagged.default}
    mapping = {
        "type": "object",
        "properties": {"type": {"anyOf": words, **default}, **every},
        "additionalProperties": False,
        "allOf": rules,
    }
    return {"anyOf": [*words, mapping]}
