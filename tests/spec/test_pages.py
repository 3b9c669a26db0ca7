"""Printed descriptions of the language: `show`, the JSON Schema, the reference."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from modelwright.compiler.display import show
from modelwright.spec import json_schema, language_reference, loads
from modelwright.spec.docs import options, summary
from modelwright.spec.model import WRITTEN, Block, ModelSpec, Stack
from modelwright.spec.part import COMPONENTS, Nothing, Part
from modelwright.spec.signatures import shapes
from modelwright.spec.source import parse

SPECS = sorted((Path(__file__).parent / "specs").glob("*.yaml"))
TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 4\nattention: {heads: 2}\n"
)


def every_part() -> list[type[Part]]:
    classes = {c for tagged in COMPONENTS.values() for c in tagged.classes.values()}
    return sorted({*classes, Block, Stack, ModelSpec} - {Nothing}, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", every_part(), ids=lambda c: c.__name__)
def test_every_option_is_described(cls: type[Part]) -> None:
    assert summary(cls)
    assert set(options(cls)) == set(shapes(cls))


def test_show_says_every_origin() -> None:
    text = show(loads(TINY + "norm: rmsnorm\n", "folder/t.yaml", sets=["bias=false"]))
    lines = {line.split("#")[0].strip(): line.split("# ")[-1] for line in text.splitlines()}
    assert lines["heads: 2"] == "t.yaml:6"
    assert lines["mask: causal"] == "family decoder-only"
    assert lines["type: rmsnorm"] == "t.yaml:7"
    assert lines["bias: false"] == "--set bias=false"
    assert lines["score: dot"] == "default"
    assert "# head_dim: d_model / heads" in text


def test_show_prints_any_description() -> None:
    for text in ('say: "hi" # no', "two\nlines", "ends:", "true", "- x", "ü \\ '", " "):
        spec = loads(TINY + f"description: {json.dumps(text)}\n")
        assert loads(show(spec)).description == text


def test_the_reference_is_up_to_date(root: Path) -> None:
    page = root / "docs" / "language.md"
    assert page.read_text(encoding="utf-8") == language_reference(), (
        "run `python -m modelwright.spec.reference > docs/language.md`"
    )


def test_the_reference_names_every_type_and_option() -> None:
    page = language_reference()
    for tagged in COMPONENTS.values():
        for name, cls in tagged.classes.items():
            assert f"`{name}`" in page
            for key in shapes(cls):
                assert f"`{key}`" in page
    for key in WRITTEN:
        assert f"`{key}`" in page


def test_the_schema_is_plain_data_in_a_fixed_order() -> None:
    assert json.dumps(json_schema()) == json.dumps(json_schema())
    assert set(json_schema()["$defs"]) == {t.key for t in COMPONENTS.values()} | {"block", "stack"}


SCHEMA = json_schema()
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Does a value fit a JSON Schema? The keywords that this schema uses, and no other."""
    known = {
        "$ref": lambda ref: fits(value, SCHEMA["$defs"][ref.removeprefix("#/$defs/")]),
        "type": lambda kind: is_a(value, kind),
        "const": lambda one: value == one and type(value) is type(one),
        "enum": lambda some: any(value == v and type(value) is type(v) for v in some),
        "anyOf": lambda some: any(fits(value, s) for s in some),
        "not": lambda other: not fits(value, other),
        "minItems": lambda few: not isinstance(value, list) or len(value) >= few,
        "maxItems": lambda many: not isinstance(value, list) or len(value) <= many,
        "uniqueItems": lambda _: not isinstance(value, list) or len(set(value)) == len(value),
        "minProperties": lambda few: not isinstance(value, dict) or len(value) >= few,
        "maxProperties": lambda many: not isinstance(value, dict) or len(value) <= many,
        "maxLength": lambda most: not isinstance(value, str) or len(value) <= most,
        "allOf": lambda every: all(fits(value, s) for s in every),
        "if": lambda when: not fits(value, when) or fits(value, schema["then"]),
        "minimum": lambda low: not is_a(value, "number") or value >= low,
        "maximum": lambda high: not is_a(value, "number") or value <= high,
        "exclusiveMinimum": lambda low: not is_a(value, "number") or value > low,
        "exclusiveMaximum": lambda high: not is_a(value, "number") or value < high,
        "pattern": lambda form: not isinstance(value, str) or bool(re.search(form, value)),
        "items": lambda one: not isinstance(value, list) or all(fits(v, one) for v in value),
        "required": lambda keys: not isinstance(value, dict) or set(keys) <= set(value),
        "propertyNames": lambda one: (
            not isinstance(value, dict) or all(fits(k, one) for k in value)
        ),
    }
    ignored = {"$schema", "$defs", "title", "description", "default", "then"}
    members = {"properties", "patternProperties", "additionalProperties"}
    assert set(schema) <= set(known) | ignored | members
    return members_fit(value, schema) and all(known[k](v) for k, v in schema.items() if k in known)


def is_a(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        return isinstance(value, (int, float) if kind == "number" else int) and value is not bool(
            value
        )
    return isinstance(value, TYPES[kind])


def members_fit(value: Any, schema: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    forms = schema.get("patternProperties", {})
    for key, member in value.items():
        found = [s for form, s in forms.items() if re.search(form, key)]
        if key in schema.get("properties", {}):
            found.append(schema["properties"][key])
        other = schema.get("additionalProperties", True)
        if not found and (other is False or (other is not True and not fits(member, other))):
            return False
        if not all(fits(member, s) for s in found):
            return False
    return True


def taken(text: str) -> bool:
    tree = parse(text, "x", [])
    assert tree is not None
    return fits(tree.plain(), SCHEMA)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_schema_takes_what_is_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("skip_padding: true", "skip_padding: mask")
    assert taken(text)


@pytest.mark.parametrize(
    "text",
    [
        "colour: blue\n",
        "norm: rms\n",
        "norm: {type: rmsnorm, bias: true}\n",
        "decoder: {depth: 3}\n",
        "blocks: {a: {layers: 3}}\n",
        "positions: {type: learned, theta: 1}\n",
        "head: {type: classifier, pool: cls}\n",
        "overrides: {first: a}\n",
        "dropout: 2\n",
        "mask: causel\n",
        "mask: causal and window(3)\n",
        "mask: window\n",
        "mask: window(3, 4)\n",
        "mask: causal &\n",
        "mask: causal & & window(3)\n",
        "mask: causal(3)\n",
        "mask: window(given)\n",
        "mask: 'random(3)'\n",
        "mask: []\n",
        "mask: [causal, windw(3)]\n",
        "feed_forward: {d_ff: 4x}\n",
        "feed_forward: {d_ff: 0 * d_model}\n",
        "feed_forward: {d_ff: 5/0 * d_model}\n",
        "feed_forward: {bias: [up, up]}\n",
        "stacks: {a: {layers: 1}}\n",
        "encoder: {layers: 1}\n",
        "head: language_model\nheads: {a: language_model}\n",
        "extends: a.yaml#b\n",
        "decoder: {extends: a.yaml}\n",
        "pattern: []\n",
        "blocks: {2nd: {}}\n",
        "heads: {class: language_model}\n",
        "tokens: {pad: 9999999999}\n",
        "input: {argument: self}\n",
        "input: {argument: class}\n",
        f"description: {'x' * 2001}\n",
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    assert taken(TINY)
    assert not taken(TINY + text)


@pytest.mark.parametrize("text", ["name: x\n", "name: x\nlayers: 2\n", "family: decoder-only\n"])
def test_the_schema_asks_for_a_name_and_stacks(text: str) -> None:
    assert not taken(text)


@pytest.mark.parametrize(
    "formula",
    [
        "causal",
        " causal&window( 8 ) ",
        "~(causal | prefix) & ~~documents",
        "((prefix))",
        "band(3) | band(3,0)",
        "random(1, 2) | random(1, 2, 3)",
        "global(given) | global(4) | global(-4:) | keys(1:-1) | queries(:)",
        "blocks(2) | blocks(2, 1) | fixed(4, 2) | strided(3)",
    ],
)
def test_the_schema_takes_every_mask(formula: str) -> None:
    assert loads(TINY + f"mask: '{formula}'\n")
    assert taken(TINY + f"mask: '{formula}'\n")
