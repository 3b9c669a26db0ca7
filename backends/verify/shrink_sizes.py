"""Which numbers of a spec `shrink` makes smaller, and how small they become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...spec.attention import Mla
from ...spec.embedding import ConvLayer, ConvStem, Features, LearnedInput
from ...spec.model import SpecialTokens
from ...spec.part import Part
from ...spec.pool import TokenPool
from ...spec.positions import Disentangled
from ...spec.sublayers import OuterProductMean, TriangleMultiplication

# kind -> new value of its smallest number, and the step to each larger one
KINDS: dict[str, tuple[int, int]] = {
    "vocabulary": (61, 4),
    "positions": (136, 8),
    "first length": (32, 8),
    "d_ff": (40, 8),
    "hidden": (40, 8),
    "classes": (5, 1),
    "projection": (24, 4),
    "buckets": (8, 2),
    "log buckets": (6, 2),
    "distance": (12, 3),
    "rank": (10, 2),
    "still": (6, 2),
    "turned": (8, 2),
    "latent value": (5, 2),
    "channels": (6, 1),
    "learned tokens": (5, 1),
}
FIELDS: dict[str, str] = {
    "vocab_size": "vocabulary",
    "max_positions": "positions",
    "original_max_positions": "first length",
    "d_model": "width",
    "width": "width",
    "output_width": "width",
    "d_ff": "d_ff",
    "hidden": "hidden",
    "classes": "classes",
    "size": "projection",
    "buckets": "buckets",
    "max_distance": "distance",
    "head_dim": "head width",
    "value_dim": "head width",
    "key_dim": "width",
    "query_rank": "rank",
    "kv_rank": "rank",
    "nope_dim": "still",
    "rope_dim": "turned",
}
SPECIAL_FIELDS: dict[type[Part], dict[str, str]] = {
    Mla: {"value_dim": "latent value"},
    ConvLayer: {"channels": "width"},
    ConvStem: {"channels": "channels"},
    Features: {"size": "width"},
    LearnedInput: {"tokens": "learned tokens"},
    Disentangled: {"buckets": "log buckets"},
    OuterProductMean: {"hidden": "rank"},
    TriangleMultiplication: {"hidden": "rank"},
}


def ranked(values: set[int], least: int, step: int) -> dict[int, int]:
    """Map numbers to smaller ones in the same order; none becomes larger.

    >>> ranked({768, 3072, 2}, 40, 8)
    {2: 2, 768: 48, 3072: 56}
    """
    return {value: min(value, least + step * i) for i, value in enumerate(sorted(values))}


def kind_of(part: Part, name: str) -> str:
    for cls, fields in SPECIAL_FIELDS.items():
        if isinstance(part, cls) and name in fields:
            return fields[name]
    return FIELDS.get(name, "")


def parts_of(value: Any) -> Iterator[Part]:
    """A part and all nested parts."""
    if isinstance(value, Part):
        yield value
        for name in type(value).model_fields:
            yield from parts_of(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from parts_of(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from parts_of(inner)


def special_ids(part: Part) -> Iterator[tuple[str, Any]]:
    """The token ids that a part names: pairs of a field and its value."""
    if isinstance(part, SpecialTokens):
        yield from ((name, getattr(part, name)) for name in type(part).model_fields)
    if isinstance(part, TokenPool):
        yield "id", part.id
    if hasattr(part, "replace") and "replace" in type(part).model_fields:
        yield "replace", getattr(part, "replace")  # noqa: B009 - not every part has it
