"""config.json becomes spec data, by the rows of its family."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .bert import BERT
from .errors import CheckpointError
from .family import IRRELEVANT, Family, Head, Key, Multiple
from .folder import CONFIG, Folder

FAMILIES: dict[str, Family] = {family.model_type: family for family in (BERT,)}


def family_of(folder: Folder) -> Family:
    """The family that config.json names. Raises CheckpointError for one that is not supported."""
    known = ", ".join(FAMILIES)
    kind = folder.config.get("model_type")
    if not isinstance(kind, str):
        raise CheckpointError(folder.path / CONFIG, [f"it names no model_type; known: {known}"])
    if kind not in FAMILIES:
        raise CheckpointError(
            folder.path / CONFIG, [f"model_type `{kind}` is not supported yet; supported: {known}"]
        )
    return FAMILIES[kind]


def class_of(folder: Folder, family: Family) -> str:
    """The class whose weights these are: the first of `architectures`, or the bare model."""
    named = folder.config.get("architectures") or [next(iter(family.heads))]
    if not (isinstance(named, list) and isinstance(named[0], str)):
        raise CheckpointError(folder.path / CONFIG, ["`architectures` must be a list of names"])
    if named[0] not in family.heads:
        supported = ", ".join(family.heads)
        raise CheckpointError(
            folder.path / CONFIG, [f"{named[0]} is not supported yet; supported: {supported}"]
        )
    return named[0]


def head_of(folder: Folder, family: Family) -> Head | None:
    """The head to build; None where it is optional and the weights have none of its tensors."""
    head = family.heads[class_of(folder, family)]
    if head.optional and folder.shapes is not None:
        parts = tuple(f"{theirs}." for theirs in head.names.values())
        names = (name.removeprefix(family.prefix) for name in folder.shapes)
        if not any(name.startswith(parts) for name in names):
            return None
    return head


def spec_data(folder: Folder, family: Family, head: Head | None) -> dict[str, Any]:
    """The spec as plain data, with every value of config.json in it.

    Raises CheckpointError with every key that is unknown, of a wrong type or not supported.
    """
    fixed = {**family.fixed, **(head.fixed if head else {})}
    problems = _problems(folder.config, family, fixed)
    values = {**family.defaults, **folder.config}
    template = {"name": folder.name, **family.spec, **(head.spec if head else {}), **family.last}
    data = {} if problems else _fill(template, values, problems)
    if problems:
        raise CheckpointError(folder.path / CONFIG, problems)
    return data


def _problems(config: Mapping[str, Any], family: Family, fixed: Mapping[str, Any]) -> list[str]:
    problems = []
    for key, value in config.items():
        if key in fixed:
            if value != fixed[key]:
                problems.append(
                    f"`{key}: {_said(value)}` is not supported yet, only {_said(fixed[key])}"
                )
        elif key in family.defaults:
            wanted = _wanted(value, family.defaults[key])
            if wanted and not (value is None and key in family.optional):
                problems.append(f"`{key}` must be {wanted}, not {_said(value)}")
        elif key not in IRRELEVANT and key not in family.irrelevant:
            problems.append(
                f"`{key}` is not known of {family.model_type}: it may change what is computed"
            )
    return problems


def _wanted(value: Any, default: Any) -> str:
    """What a value should have been, "" if it is that; its default says what it must be."""
    if isinstance(default, dict):
        return "" if isinstance(value, dict) and value else "a mapping that is not empty"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a word"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "a whole number" if isinstance(default, int) else "a number"
    return "a whole number" if isinstance(default, int) and not isinstance(value, int) else ""


def _fill(template: Any, values: Mapping[str, Any], problems: list[str]) -> Any:
    """The template with the config's values for its keys; what is None there is left out."""
    if isinstance(template, Key):
        return _value(template, values[template.name], problems)
    if isinstance(template, Multiple):
        size, of = values[template.name], values[template.of]
        return f"{template.factor} * d_model" if size == template.factor * of else size
    if isinstance(template, Mapping):
        filled = {key: _fill(value, values, problems) for key, value in template.items()}
        return {key: value for key, value in filled.items() if value not in (None, {})}
    return template


def _value(key: Key, value: Any, problems: list[str]) -> Any:
    if key.words is not None and value not in key.words:
        known = ", ".join(key.words)
        problems.append(f"`{key.name}: {value}` is not supported yet; supported: {known}")
        return None
    if key.words is not None:
        return key.words[value]
    return key.read(value) if key.read is not None else value


def _said(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
