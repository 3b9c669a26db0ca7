"""Scores between content and relative positions, added to content scores.

disentangled    He et al. 2020, arXiv:2006.03654; buckets and shared projections: He et al. 2021,
                arXiv:2111.09543
transformer_xl  Dai et al. 2019, arXiv:1901.02860
shaw            Shaw et al. 2018, arXiv:1803.02155
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...spec.model import Block
from ...spec.part import Nothing
from ...spec.positions import Disentangled, Shaw
from ..axes import Dim, S, T
from ..sizes import Field, Size
from .builder import Builder
from .norm import lower_norm
from .reads import peek
from .state import StackState

SIDES = {"content_to_position": ("key", "query"), "position_to_content": ("query", "key")}
"""Term -> projection of the positions, and the side whose content is used."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Queries and keys of an attention, (B, H, T or S, E), and its projections.

    project: applies the projection of this name, a new or an existing one, and splits heads
    """

    query: str
    key: str
    heads: Dim
    scale: Field | float
    project: Callable[[str, str, bool], str]


def lower_disentangled(
    b: Builder, state: StackState, block: Block, position: Disentangled, contents: Contents
) -> str:
    """The terms of disentangled attention, scaled like the scores, (B, H, T, S)."""
    table = _table(b, state, block, position)
    places = _places(b, state, position)
    table = _dropped(b, block, table)
    total = ""
    for term in position.terms:
        projection, side = SIDES[term]
        name = projection if position.share_projections else f"position_{projection}"
        rows = contents.project(name, table, position.share_projections)
        b.rename(rows, f"pos_{projection[0]}")
        content = contents.query if side == "query" else contents.key
        scores = b.op("position_scores", content, rows, places, side=side)
        total = b.op("add", total, scores) if total else scores
    return _scaled(b, total, contents)


def _span(b: Builder, position: Disentangled) -> Size:
    """Number of relative positions in each direction."""
    if position.buckets == "none":
        return b.size("max_distance", position.max_distance)
    return b.size("buckets", position.buckets)


def _table(b: Builder, state: StackState, block: Block, position: Disentangled) -> str:
    """Vectors of relative positions, (U, D); one table per stack."""
    key = repr(position)
    if key not in state.relative_embedding:
        kind = b.kind_prefix if state.relative_embedding else ""
        with b.in_scope(state.scope):
            rows = Dim("U", 2 * _span(b, position))
            name = f"{kind}relative_embedding"
            table = b.op("table", name=name, shape=(rows, state.width))
            if not isinstance(peek(block, "norm"), Nothing) and position.normalize:
                with b.beside():
                    table = lower_norm(b, block.norm, table, f"{kind}relative_norm")
            b.rename(table, "relative")
        state.relative_embedding[key] = table
    return state.relative_embedding[key]


def _places(b: Builder, state: StackState, position: Disentangled) -> str:
    with b.in_scope(state.scope):
        return b.op(
            "relative_places",
            out="places",
            shape=(T, S if state.cached else T),
            rule="each" if position.buckets == "none" else "log",
            buckets=None if position.buckets == "none" else _span(b, position),
            max_distance=b.size("max_distance", position.max_distance),
            stack=state.name,
        )


def lower_transformer_xl(
    b: Builder, state: StackState, block: Block, contents: Contents
) -> tuple[str, str]:
    """The query for content scores, and its scaled scores with relative positions.

    Each has its own learned bias (u and v in the paper).
    """
    length = S if state.cached else T
    with b.in_scope(state.scope):
        distances = b.op("relative_positions", shape=(length.times(2),), stack=state.name)
        relative = b.op(
            "sinusoid",
            distances,
            out="relative",
            shape=(length.times(2), state.width),
            width=state.width,
            layout="concat",
            denominator="half",
        )
        places = b.op(
            "relative_places",
            out="places",
            shape=(T, length),
            rule="all",
            buckets=None,
            max_distance=None,
            stack=state.name,
        )
    relative = _dropped(b, block, relative)
    rows = b.rename(contents.project("position", relative, False), "pos_k")
    sizes: dict[str, Any] = {"heads": contents.heads, "width": b.width(rows)}
    asking = b.op("head_bias", contents.query, name="position_bias", **sizes)
    scores = b.op("position_scores", asking, rows, places, side="query", out="bias")
    bias = _scaled(b, scores, contents)
    query = b.op("head_bias", contents.query, name="content_bias", out="q", **sizes)
    return query, bias


def lower_relative_keys(b: Builder, state: StackState, position: Shaw, contents: Contents) -> str:
    """The scaled scores of queries with the vectors of distances, (B, H, T, S)."""
    table, places = _vectors(b, state, position, "relative_keys", b.width(contents.query))
    scores = b.op("position_scores", contents.query, table, places, side="query", out="bias")
    return _scaled(b, scores, contents)


def lower_relative_values(
    b: Builder, state: StackState, block: Block, value: str
) -> tuple[str, str]:
    """The vectors of distances that are added to values, and the row of each pair; or ""."""
    for index, position in enumerate(block.positions):
        if isinstance(position, Shaw) and position.values:
            with b.beside("positions", index), b.within(position.type):
                return _vectors(b, state, position, "relative_values", b.width(value))
    return "", ""


def _vectors(
    b: Builder, state: StackState, position: Shaw, name: str, width: Dim
) -> tuple[str, str]:
    """A table (U, E) of a layer, and the row of each pair (T, S)."""
    most = b.size("max_distance", position.max_distance)
    with b.in_scope(state.scope):
        places = b.op(
            "relative_places",
            out="places",
            shape=(T, S if state.cached else T),
            rule="pair",
            buckets=None,
            max_distance=most,
            stack=state.name,
        )
    return b.op("table", name=name, shape=(Dim("U", 2 * most + 1), width)), places


def _dropped(b: Builder, block: Block, relative: str) -> str:
    if not block.dropout:
        return relative
    rate = b.field("dropout", block.dropout)
    return b.op("dropout", relative, name="position_dropout", rate=rate, out="relative")


def _scaled(b: Builder, scores: str, contents: Contents) -> str:
    b.rename(scores, "bias")
    if contents.scale == 1:
        return scores
    return b.op("scale", scores, factor=contents.scale, out="bias")
