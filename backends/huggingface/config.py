"""Convert config.json to spec data, by the rows of its family."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .bidirectional import in_both_directions
from .errors import CheckpointError
from .families import ALSO, FAMILIES, SPELLINGS
from .families._rows import Token
from .family import Family, Head
from .folder import CONFIG, GENERATION, Folder
from .irrelevant import HARMLESS_VALUES, IRRELEVANT
from .layers import common_once, folded, without_replaced
from .layouts import Layout
from .rotary import ROTARY_KEYS
from .unsupported import VALUE_REASONS, why_not, why_not_class
from .values import RefusedError, filled


def family_of(folder: Folder) -> Family:
    """The family of config.json's `model_type`. Raises CheckpointError if it is not supported."""
    kind = folder.config.get("model_type")
    if not isinstance(kind, str):
        known = f"{len(FAMILIES)} types are supported, such as `bert` and `llama`"
        raise CheckpointError(folder.path / CONFIG, [f"`model_type` is missing; {known}"])
    kind = ALSO.get(kind, kind)
    if kind not in FAMILIES:
        raise CheckpointError(folder.path / CONFIG, [_unknown(kind, folder.config)])
    family = FAMILIES[kind]
    if family.other is not None and named_class(folder) in family.other.heads:
        return family.other
    return family


def named_class(folder: Folder) -> str:
    """The first of `architectures` as the library spells it, or "".

    Raises CheckpointError if it is invalid.
    """
    named = folder.config.get("architectures")
    if named is None or named == []:
        return ""
    if not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise CheckpointError(folder.path / CONFIG, ["`architectures` must be a list of names"])
    name = str(named[0])
    return SPELLINGS.get(name, name)


def _unknown(kind: str, config: Mapping[str, Any]) -> str:
    return f"model_type `{kind}` is not supported yet: {why_not(kind, config)}"


def class_of(folder: Folder, family: Family) -> str:
    """The class of the checkpoint: the first of `architectures`, or guessed from the weights."""
    named = named_class(folder) or _class_by_weights(folder, family)
    if named not in family.heads:
        other = family.other.heads if family.other is not None else ()
        supported = ", ".join([*family.heads, *other])
        why = why_not_class(named, folder.config)
        raise CheckpointError(
            folder.path / CONFIG, [f"{named} is not supported yet: {why}; supported: {supported}"]
        )
    return named


def _class_by_weights(folder: Folder, family: Family) -> str:
    """The class if config.json has none: the first, or the headless one without head weights."""
    first, *others = family.heads
    parts = tuple(f"{_theirs(theirs)}." for theirs in family.heads[first].names.values())
    if not parts or folder.shapes is None or any(name.startswith(parts) for name in folder.shapes):
        return first
    bare = (name for name in others if not family.heads[name].names or family.heads[name].optional)
    return next(bare, first)


def _theirs(row: object) -> str:
    return row.theirs if isinstance(row, Layout) else str(row)


def head_of(folder: Folder, family: Family) -> Head:
    """The head to build; empty if it is optional and has no weights in the checkpoint."""
    head = family.heads[class_of(folder, family)]
    if head.optional and folder.shapes is not None:
        parts = tuple(f"{_theirs(theirs)}." for theirs in head.names.values())
        names = (name.removeprefix(head.prefix or family.prefix) for name in folder.shapes)
        if not any(name.startswith(parts) for name in names):
            return Head()
    return head


def values_of(folder: Folder, family: Family, head: Head) -> dict[str, Any]:
    """All values that the family reads: defaults, overridden by config.json.

    Raises CheckpointError, which lists all keys that are unknown, invalid or not supported.
    """
    config = _own(folder, family)
    fixed = fixed_of(family, head)
    problems = _problems(config, family, fixed)
    inner = {key: _of_part(folder, key, part, problems) for key, part in family.parts.items()}
    if problems:
        raise CheckpointError(folder.path / CONFIG, problems)
    nothing = dict.fromkeys(family.optional)
    values = {**nothing, **family.defaults, **head.defaults, **config, **inner}
    labels = config.get("num_labels")
    if isinstance(labels, int) and config.get("id2label") is None and labels >= 0:
        values["id2label"] = {str(i): f"LABEL_{i}" for i in range(min(labels, _MOST_LABELS))}
    if head.always_tied:
        values |= {"tied_as_written": values["tie_word_embeddings"], "tie_word_embeddings": True}
    for output, table in head.untied.items():
        if values.get("tie_word_embeddings") and folder.differ(
            output, table, head.prefix or family.prefix
        ):
            values["tie_word_embeddings"] = False
    values["separate"] = _separate(folder, head, values, head.prefix or family.prefix)
    return values


_OF_WHOLE_MODELS = frozenset(["tie_word_embeddings"])
"""Keys of a tower's config that the library ignores."""


def _of_part(folder: Folder, key: str, part: Family, problems: list[str]) -> dict[str, Any]:
    """The values of a nested part of config.json.

    As in the library, the older key `text_config_dict` and the defaults of what it leaves out
    override `text_config`.
    """
    config, older = folder.config.get(key) or {}, folder.config.get(f"{key}_dict")
    if not isinstance(config, dict) or not isinstance(older, dict | None):
        problems.append(f"`{key}` and `{key}_dict` must be mappings")
        return {}
    if older is not None:
        config = {**config, **part.defaults, **older}
    own = {name: value for name, value in config.items() if name not in _OF_WHOLE_MODELS}
    config = _renamed(own, part)
    found = _problems(config, part, fixed_of(part, Head()))
    problems += [f"`{key}`: {problem}" for problem in found]
    return {**dict.fromkeys(part.optional), **part.defaults, **config}


def _separate(folder: Folder, head: Head, values: Mapping[str, Any], prefix: str) -> bool:
    """Whether tensors that could be tied differ; without weights, config.json decides."""
    if not head.copies or values.get("tie_word_embeddings", True):
        return False
    pairs = head.copies.items()
    return folder.found is None or any(folder.differ(*pair, prefix) for pair in pairs)


def fixed_of(family: Family, head: Head) -> dict[str, Any]:
    """Keys that are supported at one value only, for this family or for all."""
    kind = family.spec.get("family")
    usual: dict[str, Any] = {
        "add_cross_attention": False,
        "cross_attention_hidden_size": None,
        "is_encoder_decoder": kind == "encoder-decoder",
        "pruned_heads": {},
    }
    if kind == "encoder-only":
        usual["is_decoder"] = False
    elif kind == "encoder-decoder":
        usual["is_causal"] = True
    known = family.defaults.keys() | family.optional.keys() | family.irrelevant
    usual = {**HARMLESS_VALUES, **usual}
    usual = {key: value for key, value in usual.items() if key not in known}
    return {**usual, **family.fixed, **head.fixed}


def spec_data(
    folder: Folder, family: Family, head: Head, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The spec as plain data. Raises CheckpointError, which lists all unsupported values."""
    problems: list[str] = []
    template = {"name": folder.name, **family.spec, **head.spec, **family.last}
    data: dict[str, Any] = filled(template, values, problems)
    try:
        if family.layers is not None:
            layers = [(kind, filled(block, values)) for kind, block in family.layers(values)]
            inner = data.setdefault(family.layers_of, {}) if family.layers_of else data
            merged = _merged(inner, folded(layers))
            inner.clear()
            inner.update(merged)
        data = in_both_directions(data, values, family.model_type)
    except RefusedError as error:
        problems.append(str(error))
    if problems:
        raise CheckpointError(folder.path / CONFIG, list(dict.fromkeys(problems)))
    _read_generation(folder, data, values)
    return without_replaced(common_once(data))


_GENERATION_KEYS = {
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "decoder_start": "decoder_start_token_id",
}


def _read_generation(folder: Folder, data: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Special tokens of generation_config.json, which override those of config.json.

    Exception: `pad` of config.json is kept if there is one.
    """
    generates = "vocab_size" in values and data.get("family") != "encoder-only"
    head = data.get("head")
    if not (folder.generation and generates and isinstance(head, Mapping)):
        return
    if head.get("type") != "language_model":
        return
    tokens = dict(data.get("tokens") or {})
    keys = _GENERATION_KEYS if "pad" in tokens else {"pad": "pad_token_id", **_GENERATION_KEYS}
    problems: list[str] = []
    for ours, theirs in keys.items():
        given = {theirs: folder.generation.get(theirs), "vocab_size": values["vocab_size"]}
        found = filled({ours: Token(theirs)}, given, problems)
        tokens |= found
    if problems:
        raise CheckpointError(folder.path / GENERATION, problems)
    data["tokens"] = tokens


def _merged(one: Any, other: Any) -> Any:
    """Merge mappings key by key; other values, and mappings with a `type`, are replaced.

    New keys are inserted before the head, for readability.
    """
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return other
    if "type" in other and other["type"] != one.get("type"):
        return other
    new = {key: value for key, value in other.items() if key not in one}
    merged: dict[str, Any] = {}
    for key, value in one.items():
        if key in ("overrides", "head", "heads", "init", "tokens"):
            merged.update(new)
            new = {}
        merged[key] = _merged(value, other[key]) if key in other else value
    return {**merged, **new}


def _own(folder: Folder, family: Family) -> Mapping[str, Any]:
    """The part of config.json about this model, with older keys renamed."""
    config = folder.config
    if not family.inside or family.inside not in config:
        rest = {key: value for key, value in config.items() if key != "model_type"}
        return _renamed(rest, family)  # that type is the whole model's, if this family is a part
    inner = config[family.inside]
    if not isinstance(inner, dict):
        raise CheckpointError(folder.path / CONFIG, [f"`{family.inside}` must be a mapping"])
    shared = {key: config[key] for key in ("tie_word_embeddings",) if key in config}
    labels = {key: config[key] for key in ("id2label",) if key in config}
    return {**_renamed(inner, family), **shared, **labels}


def _renamed(config: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """The config by the names that the family reads; as in the library, other names win."""
    names = family.other_names
    rest = {key: value for key, value in config.items() if key not in names}
    other = {names[key]: value for key, value in config.items() if key in names}
    return {**rest, **{key: v for key, v in other.items() if v is not None or key not in rest}}


def _problems(config: Mapping[str, Any], family: Family, fixed: Mapping[str, Any]) -> list[str]:
    problems = []
    known = IRRELEVANT
    if "rope_theta" in family.defaults:
        known |= ROTARY_KEYS
    if family.spec.get("family") == "decoder-only":
        known |= {"is_decoder", "is_causal"}
    for key, value in config.items():
        if key in fixed:
            if value != fixed[key]:
                why = f": {reason}" if (reason := VALUE_REASONS.get(key)) else ""
                problems.append(
                    f"`{key}: {shown(value)}` is not supported yet, only {shown(fixed[key])}{why}"
                )
        elif key in family.defaults or key in family.optional:
            if value is None and key in family.optional:
                continue
            wanted = _wanted(value, family.optional.get(key) or type(family.defaults[key]))
            wanted = wanted or _in_range(key, value)
            if wanted:
                problems.append(f"`{key}` must be {wanted}, not {shown(value)}")
        elif value is None or (_is_off(value) and "auto_map" not in config):
            continue  # ignored by the library for this type
        elif key not in known and key not in family.irrelevant and key not in family.parts:
            problems.append(
                f"`{key}` is not a known option of {family.model_type} and may affect the output; "
                f"if it does not, skip it with `--ignore {key}`"
            )
    return problems


def _is_off(value: Any) -> bool:
    """Whether a value turns an option off.

    An option that the library's class does not have is then harmless, unless the checkpoint comes
    with code of its own (`auto_map`).
    """
    return value is False or value in ("", [], {})


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "a non-empty mapping",
    list: "a list",
}


def _wanted(value: Any, kind: type) -> str:
    """Description of a valid value; "" if the value is valid."""
    if kind is float:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif kind is int:
        right = isinstance(value, int) and not isinstance(value, bool)
    elif kind is dict:
        right = isinstance(value, dict) and bool(value)
    else:
        right = isinstance(value, kind)
    return "" if right else _KINDS.get(kind, "of another type")


_LAYERS = re.compile(r"(\A|_)(layers?|depth)\Z")
_POSITIVE = re.compile(r"(\A|_)(d_model|dim|n_embd|hidden_size|heads?|head_dim|d_kv)\Z")
_MOST_LAYERS, _MOST_LABELS, _LARGEST = 4_000, 100_000, 10**15


def _in_range(key: str, value: Any) -> str:
    """Description of a valid number; "" if it is in range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if _LAYERS.search(key) and not 0 <= value <= _MOST_LAYERS:
        return f"from 0 to {_MOST_LAYERS:,}"
    if _POSITIVE.search(key) and not value > 0:
        return "above 0"
    if not abs(value) <= _LARGEST:  # NaN and infinity are invalid
        return f"a number from {-_LARGEST:,} to {_LARGEST:,}"
    return ""


def shown(value: Any) -> str:
    """A value of config.json, cut to one line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"
