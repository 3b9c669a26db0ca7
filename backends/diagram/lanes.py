"""Align the residual lanes of a layer that do not overlap."""

from __future__ import annotations

from .drawing import Edge


def even(edges: list[Edge]) -> None:
    """Move lanes outwards, so that the lanes of a layer form few straight lines."""
    lanes = [edge for edge in edges if edge.look == "residual" and len(edge.points) in (4, 5)]
    levels: dict[int, list[Edge]] = {}
    for lane in sorted(lanes, key=_length):
        inner = [i for i, others in levels.items() if any(_beside(lane, o) for o in others)]
        levels.setdefault(max(inner, default=-1) + 1, []).append(lane)
    for _, level in sorted(levels.items()):
        side = max(lane.points[-3][0] for lane in level)
        for lane in level:
            lane.points[-3:-1] = [(side, y) for _, y in lane.points[-3:-1]]


def _length(lane: Edge) -> float:
    return lane.points[-2][1] - lane.points[-3][1]


def _beside(a: Edge, b: Edge) -> bool:
    return a.points[-3][1] < b.points[-2][1] and b.points[-3][1] < a.points[-2][1]
