"""Laws of positions whose scores depend on contents, and of tables of distances."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Mha, Pairwise
from ..embedding import grid_axes, has_grid
from ..model import Block, ModelSpec, Stack
from ..positions import Coordinate, Disentangled, RelativeTable, Rotary, Shaw, TransformerXl
from .findings import Finding, Path, members
from .inputs import known_length

MEETING = (Disentangled, TransformerXl, Shaw)
"""Positions whose scores depend on contents."""


def log_buckets_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, Disentangled) or position.buckets == "none":
            continue
        half = position.buckets // 2
        if position.buckets % 2:
            yield Finding(
                (*path, "positions", i, "buckets"),
                f"buckets ({position.buckets}) must be even",
            )
        elif position.max_distance <= half + 1:
            yield Finding(
                (*path, "positions", i, "max_distance"),
                f"max_distance ({position.max_distance}) must be above {half + 1}, because the "
                f"first {half} buckets hold one distance each",
            )


def terms_once(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, Disentangled):
            continue
        terms = members(position.terms)
        if not terms:
            yield Finding(
                (*path, "positions", i, "terms"),
                "`terms` is empty; name at least one term, or write `positions: none`",
            )
        for term in dict.fromkeys(term for term in terms if terms.count(term) > 1):
            yield Finding((*path, "positions", i, "terms"), f"`{term}` occurs twice in this list")


def positions_meet_contents(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """There may be one of them, without rotary positions; most need kv_heads equal to heads."""
    part = block.attention
    found = [p for p in members(block.positions) if isinstance(p, MEETING)]
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, MEETING):
            continue
        if position is not found[0]:
            yield Finding(
                (*path, "positions", i),
                f"{found[0].type} and {position.type} positions cannot be combined; keep one of "
                "them",
            )
        if any(isinstance(other, Rotary) for other in members(block.positions)):
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions cannot be combined with rotary positions; keep one of "
                "them",
            )
        if isinstance(part, Pairwise) and not isinstance(part, Mha):
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions are not supported with attention of type `{part.type}`",
            )
        if isinstance(position, Shaw):
            continue
        if isinstance(part, Mha) and part.kv_heads not in (None, part.heads):
            yield Finding(
                (*path, "attention", "kv_heads"),
                f"with {position.type} positions, kv_heads ({part.kv_heads}) must equal heads "
                f"({part.heads})",
            )


ALONE = {"softcap": "none", "sinks": False, "talking_heads": "none"}
"""Options that cannot be combined with relative keys and values, and their usual values."""


def relative_vectors_alone(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Options that would act on the scores of contents only, or need another kernel."""
    if not any(isinstance(position, Shaw) for position in members(block.positions)):
        return
    for option, usual in ALONE.items():
        if getattr(block.attention, option, usual) != usual:
            yield Finding(
                (*path, "attention", option),
                f"`{option}` cannot be combined with shaw positions; remove one of them",
            )


def relative_sinusoids(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for i, position in enumerate(members(block.positions)):
        if isinstance(position, TransformerXl) and stack.d_model % 2:
            yield Finding(
                (*path, "positions", i),
                "transformer_xl positions are pairs of sine and cosine, so d_model "
                f"({stack.d_model}) must be even",
            )


def coordinates_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """`coordinate` positions need pairs, and one axis of tokens, each with a position."""
    sources = members(stack.input)
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, Coordinate):
            continue
        least = 4 if position.denominator == "half_minus_one" else 2
        if stack.d_model % 2 or stack.d_model < least:
            yield Finding(
                (*path, "positions", i),
                f"coordinate positions are pairs of sine and cosine, so d_model ({stack.d_model}) "
                "must be even" + (f" and at least {least}" if least > 2 else ""),
            )
        front = any(getattr(source, "prefix_tokens", 0) for source in sources)
        if front or stack.streams or any(has_grid(source) for source in sources):
            yield Finding(
                (*path, "positions", i),
                "coordinate positions count the tokens of one sequence; they cannot be combined "
                "with an image, `prefix_tokens` or `streams`",
            )


def scaled_by_layer(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """`by_layer` cannot be combined with positions that scale their scores."""
    if getattr(block.attention, "scale", None) != "by_layer":
        return
    for position in members(block.positions):
        if isinstance(position, MEETING) or getattr(position, "before_scale", False):
            yield Finding(
                (*path, "attention", "scale"),
                f"`scale: by_layer` cannot be combined with {position.type} positions, whose "
                "scores are scaled too",
            )


def distances_are_limited(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """A table with one axis has a row for each distance of a sequence of limited length."""
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, RelativeTable) or position.axes != 1:
            continue
        axes = grid_axes(members(stack.input))
        if axes > 1:
            what, count = ("a video", "three") if axes == 3 else ("an image", "two")
            yield Finding(
                (*path, "positions", i, "axes"),
                f"this stack reads {what}, whose offsets have {count} axes; write `axes: {axes}`",
            )
        elif stack.max_positions is None and known_length(spec, stack) is None:
            yield Finding(
                (*path, "positions", i),
                "a `relative_table` with one axis needs `max_positions`; set it in the stack or at "
                "the top level",
                lacks="max_positions",
            )


LAWS = (
    log_buckets_fit,
    terms_once,
    positions_meet_contents,
    relative_vectors_alone,
    relative_sinusoids,
    coordinates_fit,
    scaled_by_layer,
    distances_are_limited,
)
