"""Writes `backends/huggingface/defaults.json`: `python -m tests.huggingface.library_defaults`.

For each family, the keys that it reads, with the values that the library's config class has, and
the other names of these keys (`attribute_map`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import transformers
from transformers import CONFIG_MAPPING, PreTrainedConfig

from modelwright.backends.huggingface import FAMILIES
from modelwright.backends.huggingface.defaults import PATH
from modelwright.backends.huggingface.family import Family

Values = dict[str, Any]

BASES = {
    "global": ("rope_theta", "global_rope_theta"),
    "local": ("rope_local_base_freq", "local_rope_theta"),
}
"""Older keys of the bases of rotary positions, by the kind of layer that the library has today."""


def everything() -> Values:
    """What the file should hold for the families as they are now."""
    entries: dict[str, Values] = {}
    for family in families():
        name, known = family.entry, of_the_library(family)
        lacking = [key for key in family.entry_keys if key not in known]
        assert not lacking, f"the library's {name} has no {lacking}: put them in `own_defaults`"
        entries[name] = entries.get(name, {}) | {key: known[key] for key in family.entry_keys}
    entries = {name: dict(sorted(entries[name].items())) for name in sorted(entries)}
    return {"transformers": transformers.__version__, "entries": entries, "aliases": aliases()}


def aliases() -> dict[str, dict[str, str]]:
    """Other names of the keys that a family reads, from `attribute_map`; by entry."""
    found: dict[str, dict[str, str]] = {}
    for family in sorted(families(), key=lambda family: family.entry):
        kind = CONFIG_MAPPING[family.model_type]
        kind = type(getattr(kind(), family.inside)) if family.inside else kind
        read = {*family.entry_keys, *family.own_defaults, *family.optional}
        names = {old: key for old, key in sorted(kind.attribute_map.items()) if key in read}
        if names:
            found[family.entry] = found.get(family.entry, {}) | names
    return found


def families() -> Iterator[Family]:
    """Each family, and those of its parts and of its other classes."""
    waiting = list(FAMILIES.values())
    while waiting:
        family = waiting.pop()
        waiting += family.parts.values()
        waiting += [family.other] if family.other is not None else []
        yield family


def of_the_library(family: Family) -> Values:
    """All values of the library's config of this type, or of the part that the family reads."""
    config = CONFIG_MAPPING[family.model_type]()
    if not family.inside:
        return values_of(config)
    tied = {key: value for key, value in values_of(config).items() if key == "tie_word_embeddings"}
    return {**values_of(getattr(config, family.inside)), **tied}


def values_of(config: PreTrainedConfig) -> Values:
    """The fields of a config as config.json would have them.

    A value that another key switches off, as `sliding_window` is, stands as the class has it;
    numbers of fields that may hold a float are floats.
    """
    values = config.to_dict()
    for field in dataclasses.fields(config):
        value = values.get(field.name)
        has_own = field.default is not dataclasses.MISSING and bool(field.default)
        off = value is None or (type(value) is int and value == 0)
        if field.name in values and off and has_own:
            value = field.default
        if type(value) is int and "float" in str(field.type):
            value = float(value)
        values[field.name] = value
    if "rope_parameters" in values:
        values |= bases(config, values["rope_parameters"] or {})
    plain: Values = json.loads(json.dumps(values, default=str))
    return plain


def bases(config: PreTrainedConfig, rope: Mapping[str, Any]) -> Values:
    """The bases of rotary positions, as keys of their own."""
    usual = rope.get("rope_theta", type(config).default_theta)
    if not isinstance(usual, Mapping):
        return {"rope_theta": usual}
    return {key: usual[kind] for kind, older in BASES.items() for key in older}


def text_of(data: Mapping[str, Any], width: int = 100) -> str:
    """The file: JSON with as many keys on a line as it has room for."""
    version = json.dumps(data["transformers"])
    entries, names = (_rows(data[part], width) for part in ("entries", "aliases"))
    first = f'{{"transformers": {version}, "entries": {{'
    return f'{first}\n{entries}\n}}, "aliases": {{\n{names}\n}}}}\n'


def _rows(entries: Mapping[str, Any], width: int) -> str:
    rows = []
    for name, values in entries.items():
        if not values:
            rows.append(f" {json.dumps(name)}: {{}}")
            continue
        lines = [""]
        for item in json.dumps(values, separators=(",\0", ": "))[1:-1].split(",\0"):
            if lines[-1] and len(lines[-1]) + len(item) + 4 > width:
                lines.append("")
            lines[-1] += f"{' ' if lines[-1] else '  '}{item},"
        rows.append(f" {json.dumps(name)}: {{\n" + "\n".join(lines).rstrip(",") + "\n }")
    return ",\n".join(rows)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    PATH.write_text(text_of(everything()), encoding="utf-8")
