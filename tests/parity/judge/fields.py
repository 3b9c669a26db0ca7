"""Change one field of a config at a time: if the importer ignores it, the models differ."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from tiny import Case
from tiny.models import config_of
from tiny.sizes import HEAD_COUNTS, LAYER_COUNTS, ORDINARY, SIZES, TOKENS
from transformers import PreTrainedConfig
from transformers.activations import ACT2FN

from modelwright.backends.huggingface import FAMILIES

NOTHING = re.compile(
    r"(drop|initializer|init_|^use_cache$|output_|^return_dict$|_token_id|_index$|router_aux|_coef"
    r"|gradient_checkpointing|^is_decoder$|^is_encoder_decoder$|chunk_size_feed_forward|jitter"
    r"|^add_cross_attention$|problem_type|_loss|^mask_time|^mask_feature|apply_spec|^dtype$|summary|pretraining_tp)"
)
"""Fields that change nothing that is computed, or what kind of model it is."""

ACTIVATIONS = ("relu", "silu")


def changed_cases(case: Case) -> Iterator[Case]:
    """The case with each field of its config changed alone, where there is something to try."""
    config = config_of(case)
    family = FAMILIES.get(case.model_type)
    inside = family.inside if family else ""
    for name, over in _changes(config):
        yield Case(case.model_type, case.head, name, {**case.over, **over})
    if inside and hasattr(config, inside):  # the part that is imported
        for name, over in _changes(getattr(config, inside)):
            merged = {**case.over, inside: {**case.over.get(inside, {}), **over}}
            yield Case(case.model_type, case.head, f"{inside}.{name}", merged)


def _changes(config: PreTrainedConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in sorted(dataclasses.fields(config), key=lambda field: field.name):
        if NOTHING.search(field.name) or field.name in TOKENS:
            continue
        try:
            value = getattr(config, field.name)
        except RuntimeError:  # differs from layer to layer
            continue
        for other in _others(field.name, value):
            over = {field.name: other}
            if field.name in LAYER_COUNTS and getattr(config, "layer_types", None):
                over["layer_types"] = [*config.layer_types, config.layer_types[0]]
            yield said(field.name, value, other), over


def said(name: str, value: Any, other: Any) -> str:
    """What is changed, in words: `hidden_size=32`, `rope_parameters.rope_theta=500.0`."""
    if not isinstance(other, dict):
        return f"{name}={str(other).replace(' ', '')}"
    key = next(key for key in other if other[key] != value.get(key))
    return said(f"{name}.{key}", value.get(key), other[key])


def _others(name: str, value: Any) -> list[Any]:
    """Values to try in the place of one."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [word for word in ACTIVATIONS if word != value] if value in ACT2FN else []
    if isinstance(value, float):
        return [1e-3] if "eps" in name or 0 < value < 1e-4 else [value * 1.7 if value else 0.3]
    if isinstance(value, int):
        return _other_sizes(name, value)
    if value is None and name in SIZES:
        return [SIZES[name]]
    return _other_ropes(value) if isinstance(value, dict) else []


def _other_ropes(value: dict[str, Any]) -> list[Any]:
    """RoPE's parameters with another base, and of a part of the head; or a set for each kind."""
    if "rope_theta" in value:
        part = 0.25 if value.get("partial_rotary_factor") == 0.5 else 0.5
        return [{**value, "rope_theta": 500.0}, {**value, "partial_rotary_factor": part}]
    sets = {kind: _other_ropes(rope) for kind, rope in value.items() if isinstance(rope, dict)}
    return [{**value, kind: others[0]} for kind, others in sets.items() if others]


def _other_sizes(name: str, value: int) -> list[int]:
    if "vocab" in name:
        return [value + 2] if value >= ORDINARY.stop else [value + 1]
    if name in LAYER_COUNTS:
        return [value + 1]
    if name in HEAD_COUNTS:
        return [value * 2]
    if name in ("hidden_size", "d_model", "n_embd", "n_positions", "max_position_embeddings"):
        return [value // 2]
    if "head" in name or "kv" in name:
        return [value // 2] if value > 1 else [2]
    return [value + 1] if value < 8 else [value - 4]
