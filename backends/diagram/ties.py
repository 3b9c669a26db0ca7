"""Dashed lines between tied weights."""

from __future__ import annotations

from itertools import pairwise

from .drawing import SMALL, Box, Drawing, Edge, Text
from .parts import Parts
from .placed import Placed
from .sizes import BRANCH


def ties(drawing: Drawing, parts: Parts, columns: list[Placed]) -> None:
    """Add a dashed line between parts that share a weight."""
    graph = parts.graph
    users: dict[str, list[str]] = {w.tied: [] for op in graph.ops() for w in op.weights if w.tied}
    for part in parts.by_key.values():
        names = {w.tied or graph.weight_name(op, w) for op in part.ops for w in op.weights}
        for name in sorted(names & users.keys()):
            users[name].append(part.key)
    for keys in users.values():
        if len(keys) > 1:
            _tie(drawing, keys, columns)


def _tie(drawing: Drawing, keys: list[str], columns: list[Placed]) -> None:
    homes = [[box for box in column.boxes if box.id in keys] for column in columns]
    for index, boxes in enumerate(homes):
        for lower, upper in pairwise(boxes):
            outwards = 1 if index == len(columns) - 1 and index else -1
            _tie_beside(drawing, lower, upper, columns[index], outwards)
    bottoms = [boxes[0] for boxes in homes if boxes]
    for left, right in pairwise(bottoms):
        start, end = left.x + left.width / 2, right.x - right.width / 2
        middle = (start + end) / 2
        points = [(start, left.y), (middle, left.y), (middle, right.y), (end, right.y)]
        if abs(left.y - right.y) < 1:
            points = [points[0], points[-1]]
        sideways = columns[0].sideways
        up = max(left.y, right.y) + (5 if sideways else 8)
        passed = [box for box in drawing.boxes if _is_passed(box, left, (start, end))]
        if any(box.bottom < left.y < box.top for box in passed):
            low = min(box.bottom for box in passed) - (30 if sideways else 18)
            near, far = start + BRANCH / 2, end - BRANCH / 2
            points = [points[0], (near, left.y), (near, low)]
            points += [(far, low), (far, right.y), (end, right.y)]
            middle, up = (near + far) / 2, low + (5 if sideways else 7)
        drawing.edges.append(Edge(left.id, right.id, points, "tie", arrow=False))
        drawing.texts.append(Text("tied", middle, up, SMALL, int(sideways), "tie"))


def _is_passed(box: Box, left: Box, ends: tuple[float, float]) -> bool:
    """Whether a box stands between these ends and at the height of the left one, or below it."""
    start, end = ends
    beside = start < box.x + box.width / 2 and box.x - box.width / 2 < end
    return beside and box.bottom < left.top


def _tie_beside(drawing: Drawing, lower: Box, upper: Box, column: Placed, outwards: int) -> None:
    """Draw it along the side of a column, unless another box is in the way."""
    for box in (lower, upper):
        for other in column.boxes:
            beside = abs(other.y - box.y) < (other.height + box.height) / 2
            if beside and (other.x - box.x) * outwards > box.width / 2:
                return
    left, right = column.extent()
    x = right + 14 if outwards > 0 else left - 14
    ends = [(box.x + outwards * box.width / 2, box.y) for box in (lower, upper)]
    points = [ends[0], (x, lower.y), (x, upper.y), ends[1]]
    drawing.edges.append(Edge(lower.id, upper.id, points, "tie", arrow=False))
    text = Text("tied", x + 5 * outwards, upper.y - 16, SMALL, outwards, "tie")
    if column.sideways:
        text = Text("tied", x + 8 * outwards, upper.y - 24, SMALL, 0, "tie")
    drawing.texts.append(text)
