"""The figure of a model: a column for each stack, and what goes from one to another."""

from __future__ import annotations

from itertools import pairwise

from ...compiler.graph import ModuleGraph
from .arrange import Arrangement, Column, Fork, Item, Region, arrange_from
from .drawing import Box, Drawing, Edge, Point, Text
from .look import shape_text
from .marks import mark
from .options import DrawOptions
from .parts import ROOT, Part, Parts
from .place import Placer
from .placed import Placed
from .sizes import MARGIN
from .text import plain, words

GAP = 30.0  # between columns
_RESULTS = {"V": "logits", "C": "scores", "N": "vector"}


def figure(graph: ModuleGraph, options: DrawOptions | None = None) -> Drawing:
    """Everything in its place. The size depends on the kinds of blocks, never on their number."""
    options = options or DrawOptions()
    parts = Parts(graph, options.depth)
    root = Region(parts, ROOT)
    outputs = {stack: parts.source(value, ROOT) or "" for stack, value in graph.hidden.items()}
    columns: list[Placed] = []
    for index, stack in enumerate(graph.hidden):
        mirrored = index == 0 and len(graph.hidden) > 1
        outer = frozenset(outputs.values())
        placer = Placer(parts, root, outer, options.depth, mirrored=mirrored)
        columns.append(placer.place(_stack(graph, parts, root, stack, outputs)))
    drawing = Drawing(graph.name, _description(graph), theme=options.theme)
    placed = _side_by_side(columns)
    _distinct(placed)
    for column in placed:
        drawing.boxes += column.boxes
        drawing.frames += column.frames
        drawing.edges += column.edges
        drawing.texts += column.texts
    drawing.edges += _readings(placed)
    _ties(drawing, parts, placed)
    mark(drawing, options.marks)
    _fit(drawing)
    return drawing


def _description(graph: ModuleGraph) -> str:
    """The figure in a sentence, for those who do not see it."""
    stacks = []
    for name in graph.stacks():
        layers = [s for s in graph.scopes.values() if s.role == "layers" and s.stack == name]
        depth = sum(len(each.order) for each in layers)
        stacks.append(f"{name} of {plain(depth)} {'layer' if depth == 1 else 'layers'}")
    return f"{graph.name}: {', '.join(stacks)}; results: {', '.join(graph.outputs)}."


# -- one column


def _stack(
    graph: ModuleGraph, parts: Parts, root: Region, stack: str, outputs: dict[str, str]
) -> Arrangement:
    """A stack from its input to its hidden states, then its heads."""
    own = outputs[stack]
    others = frozenset(key for key in outputs.values() if key != own)
    trunk = arrange_from(root, own, others)
    heads = [head for head in graph.outputs if _belongs(graph, parts, root, head, own, outputs)]
    found = [_head(graph, parts, root, head, own) for head in heads]
    lanes = [*trunk.lanes, *(lane for each in found for lane in each.lanes)]
    columns = [each.column for each in found]
    top: Column = [Fork(columns)] if len(columns) > 1 else columns[0] if columns else []
    return Arrangement([*trunk.column, *top], lanes)


def _belongs(
    graph: ModuleGraph, parts: Parts, root: Region, head: str, own: str, outputs: dict[str, str]
) -> bool:
    """Does this head stand on this stack: the last one that its result depends on?"""
    key = parts.source(graph.outputs[head], ROOT) or ""
    below = {key, *root.ancestors.get(key, ())}
    return own == [output for output in outputs.values() if output in below][-1]


def _head(graph: ModuleGraph, parts: Parts, root: Region, head: str, own: str) -> Arrangement:
    value = graph.outputs[head]
    arrangement = arrange_from(root, parts.source(value, ROOT) or "", frozenset([own]))
    label = graph.values[value].shape[-1].label
    title = _RESULTS.get(label, words(head).lower())
    if len(graph.outputs) > 1:
        title = f"{head}: {title}"
    part = Part(f"result.{head}", "text", "text", ROOT, head, title, (shape_text(graph, value),))
    return Arrangement([*arrangement.column, Item(part)], arrangement.lanes)


# -- columns together


def _side_by_side(columns: list[Placed]) -> list[Placed]:
    """The first of several columns is mirrored: its lanes stand outside, as the last one's do."""
    found: list[Placed] = []
    x = 0.0
    for index, column in enumerate(columns):
        sign = -1 if index == 0 and len(columns) > 1 else 1
        left, right = sorted(sign * u for u in column.extent())
        lanes = 10.0 * len({reading.source for reading in column.readings})
        x += -left + lanes
        found.append(column.moved(x, sign))
        x += right + GAP
    return found


def _readings(columns: list[Placed]) -> list[Edge]:
    """From the top of the stack that is read, over, and down to each box that reads it."""
    edges: list[Edge] = []
    for index, column in enumerate(columns):
        left = column.extent()[0]
        sources = list(dict.fromkeys(reading.source for reading in column.readings))
        for reading in column.readings:
            home = next(i for i, other in enumerate(columns) if reading.source in other.exits)
            tail, clear = columns[home].exits[reading.source]
            between = [box.top for other in columns[home + 1 : index] for box in other.boxes]
            over = max([clear, *between]) + MARGIN
            x = left - 14 - 10.0 * sources.index(reading.source)
            start, entry = tail.points[-1], reading.points[0]
            points: list[Point] = [start, (start[0], over), (x, over), (x, entry[1])]
            edges.append(Edge(tail.key, reading.target, [*points, *reading.points], "memory"))
    return edges


def _ties(drawing: Drawing, parts: Parts, columns: list[Placed]) -> None:
    """A dashed line between parts that use one table of weights."""
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
        drawing.edges.append(Edge(left.id, right.id, points, "tie", arrow=False))
        drawing.texts.append(Text("tied", middle, max(left.y, right.y) + 8, look="tie"))


def _tie_beside(drawing: Drawing, lower: Box, upper: Box, column: Placed, outwards: int) -> None:
    """Along the side of a column, unless another box stands in the way: then the words suffice."""
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
    drawing.texts.append(Text("tied", x + 5 * outwards, upper.y - 16, "small", outwards, "tie"))


def _distinct(columns: list[Placed]) -> None:
    """An argument that two stacks read stands in both columns, with an id of its own in each."""
    seen: set[str] = set()
    for index, column in enumerate(columns, 1):
        fresh = {box.id: f"{box.id}.column.{index}" for box in column.boxes if box.id in seen}
        for box in column.boxes:
            box.id = fresh.get(box.id, box.id)
        for edge in column.edges:
            edge.source = fresh.get(edge.source, edge.source)
            edge.target = fresh.get(edge.target, edge.target)
        seen.update(box.id for box in column.boxes)


def _fit(drawing: Drawing) -> None:
    """Move everything so that the figure begins at (0, 0), with a margin."""
    whole = Placed(drawing.boxes, drawing.frames, drawing.edges, drawing.texts)
    left, right = whole.extent()
    low, high = whole.height()
    dx, dy = MARGIN - left, MARGIN - low
    for box in drawing.boxes:
        box.x, box.y = box.x + dx, box.y + dy
    for frame in drawing.frames:
        frame.left, frame.right = frame.left + dx, frame.right + dx
        frame.bottom, frame.top = frame.bottom + dy, frame.top + dy
    for edge in drawing.edges:
        edge.points = [(x + dx, y + dy) for x, y in edge.points]
    for text in drawing.texts:
        text.x, text.y = text.x + dx, text.y + dy
    drawing.width, drawing.height = right + dx + MARGIN, high + dy + MARGIN
