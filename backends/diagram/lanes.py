"""Align the residual lanes of a layer that do not overlap."""

from __future__ import annotations

from .drawing import Edge


def even(edges: list[Edge]) -> None:
    """Move lanes outwards, so that the lanes of a layer form few straight lines."""
    lanes = [edge for edge in edges if edge.look == "residual" and len(edge.points) == 4]
    levels: dict[int, list[Edge]] = {}
    for lane in sorted(lanes, key=_length):
        inner = [i for i, others in levels.items() if any(_beside(lane, o) for o in others)]
        levels.setdefault(max(inner, default=-1) + 1, []).append(lane)
    for _, level in sorted(levels.items()):
        side = max(lane.points[1][0] for lane in level)
        for lane in level:
            lane.points[1:3] = [(side, y) for _, y in lane.points[1:3]]


def _length(lane: Edge) -> float:
    return lane.points[2][1] - lane.points[1][1]


def _beside(a: Edge, b: Edge) -> bool:
    return a.points[1][1] < b.points[2][1] and b.points[1][1] < a.points[2][1]
