"""A small config of a type: every field that is a size gets a small value."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from .sizes import (
    DECOUPLED_HEAD_DIM,
    HEAD_COUNTS,
    HEAD_DIM,
    HEADS,
    KV_COUNTS,
    KV_HEADS,
    LAYER_COUNTS,
    LAYERS,
    PATTERN,
    SIZES,
    SPECIAL,
    TOKENS,
    VOCAB,
)
from .special import OTHER_CONFIG, SPECIAL_FIELDS

PARTS = ("encoder", "decoder", "text_encoder", "audio_encoder")
"""Fields, besides those that end in `_config`, that hold the config of a part."""

Fields = dict[str, Any]


def tiny_config(model_type: str, over: Mapping[str, Any] | None = None) -> PreTrainedConfig:
    """A tiny config of a type; `over` holds fields that a variant sets otherwise.

    A value of `over` that is a mapping changes some keys of the field and leaves the others.
    """
    kind = CONFIG_MAPPING[OTHER_CONFIG.get(model_type, model_type)]
    return kind(**_merged(tiny_fields(kind), over or {}))


def tiny_fields(kind: type[PreTrainedConfig], usual: PreTrainedConfig | None = None) -> Fields:
    """The arguments that make a config of this class tiny; `usual` is one of the usual size."""
    usual = usual if usual is not None else _usual(kind)
    now = {field.name: _value(field, usual) for field in dataclasses.fields(kind)}
    fields: Fields = {}
    for name, value in now.items():
        small = _small(name, value, now)
        if small is not None:
            fields[name] = small
    _decouple(fields, now)
    _pattern(fields, now, usual)
    if isinstance(now.get("rope_parameters"), dict):
        fields["rope_parameters"] = _short_rope(now["rope_parameters"])
    return _merged(fields, SPECIAL_FIELDS.get(getattr(kind, "model_type", ""), {}))


def _merged(fields: Mapping[str, Any], over: Mapping[str, Any]) -> Fields:
    """The fields with some set otherwise; those that hold a mapping are merged in their turn."""
    merged = dict(fields)
    for name, value in over.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(old, value) if both else copy.deepcopy(value)
    return merged


def _usual(kind: type[PreTrainedConfig]) -> PreTrainedConfig | None:
    try:
        return kind()
    except Exception:  # some need a part that has no default
        return None


def _value(field: dataclasses.Field[Any], usual: PreTrainedConfig | None) -> Any:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    try:
        return getattr(usual, field.name, default)
    except RuntimeError:  # what differs from layer to layer has no one value
        return default


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _small(name: str, value: Any, now: Fields) -> Any:
    """The value that a field has in a tiny model; None leaves it as it is."""
    if name in KV_COUNTS and _whole(value):
        heads = next((now[count] for count in HEAD_COUNTS if _whole(now.get(count))), None)
        return 1 if value == 1 else HEADS if value == heads else KV_HEADS
    if name in TOKENS and _whole(value):
        return TOKENS[name]
    if name in TOKENS and isinstance(value, list | tuple) and value and _whole(value[0]):
        return [TOKENS[name]]
    if name in SIZES and _whole(value):
        return SIZES[name]
    if re.search(r"(token_id|token_index|_index)$", name) and _whole(value) and value >= VOCAB:
        return SPECIAL[sum(map(ord, name)) % len(SPECIAL)]
    if isinstance(value, PreTrainedConfig) and (name.endswith("_config") or name in PARTS):
        part = tiny_fields(type(value), value)
        return {**part, "model_type": value.model_type} if value.model_type else part
    return None


def _decouple(fields: Fields, now: Fields) -> None:
    """Keep heads that together are not as wide as the model."""
    width, heads, head = (now.get(n) for n in ("hidden_size", "num_attention_heads", "head_dim"))
    if "head_dim" in fields and _whole(width) and _whole(heads) and head * heads != width:
        fields["head_dim"] = DECOUPLED_HEAD_DIM


def _pattern(fields: Fields, now: Fields, usual: PreTrainedConfig | None) -> None:
    """Keep each kind of layer that the type has, in as few layers as show the pattern."""
    layers = next((name for name in LAYER_COUNTS if name in now), "num_hidden_layers")
    kinds = list(dict.fromkeys(getattr(usual, "layer_types", None) or ()))
    if len(kinds) > 1:
        pattern = kinds if len(kinds) >= PATTERN else (kinds * PATTERN)[:PATTERN]
        if "layer_types" in now:
            fields["layer_types"] = pattern
        if layers in fields:
            fields[layers] = len(pattern)
    count = next((fields[name] for name in LAYER_COUNTS if name in fields), LAYERS)
    for name in ("mlp_layer_types", "no_rope_layers"):
        kinds = list(dict.fromkeys(now.get(name) or ()))
        if kinds:
            fields[name] = ([kinds[0]] + (kinds[1:] or kinds) * count)[:count]
    if now.get("moe_layers"):
        fields["moe_layers"] = list(range(1, count, 2)) or [1]


def _short_rope(rope: Mapping[str, Any]) -> Fields:
    """RoPE's parameters for few positions and small heads, flat or one set a kind of layer."""
    if rope and all(isinstance(value, dict) for value in rope.values()):
        return {kind: _short_rope(value) for kind, value in rope.items()}
    short = copy.deepcopy(dict(rope))
    if "original_max_position_embeddings" in short:
        short["original_max_position_embeddings"] = 32
    for name in ("short_factor", "long_factor"):
        if short.get(name):
            short[name] = [1.0 + 0.1 * i for i in range(HEAD_DIM // 2)]
    if "mrope_section" in short:
        short["mrope_section"] = [2, 3, 3]
    return short
