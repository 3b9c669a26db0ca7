"""Lay out the figure of a model: a column for each stack, and the connections between them."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph
from ...compiler.words import choices
from .arrange import Arrangement, Column, Fork, Item, Region, arrange_from
from .columns import distinct, readings, side_by_side
from .drawing import Drawing
from .lengths import shape_text
from .marks import mark
from .options import DrawError, DrawOptions
from .part import ROOT, Part
from .parts import Parts
from .place import Placer
from .placed import Placed
from .sizes import MARGIN
from .text import plain, words
from .ties import ties
from .turn import turn

_RESULTS = {"B": "scores", "V": "logits", "C": "scores", "N": "vector"}


def figure(
    graph: ModuleGraph, options: DrawOptions | None = None, parts: Parts | None = None
) -> Drawing:
    """Lay out a figure. Its size depends on the kinds of blocks, not on the number of layers.

    parts: those of the graph with these options, where the caller has them

    Raises DrawError for a stack that the model does not have.
    """
    options = options or DrawOptions()
    stacks = _stacks(graph, options.stack)
    parts = Parts(graph, options) if parts is None else parts
    notes = _costs(parts) if options.costs else []
    root = Region.of(parts, ROOT)
    outputs = {stack: parts.source(value, ROOT) or "" for stack, value in graph.hidden.items()}
    columns: list[Placed] = []
    for index, stack in enumerate(stacks):
        mirrored = index == 0 and len(stacks) > 1
        states = frozenset(outputs.values())
        if stack in graph.streams and options.depth != "stack":
            columns.append(_streams(graph, parts, root, stack, options, states))
            continue
        placer = Placer(parts, root, states, options, mirrored=mirrored)
        columns.append(placer.place(_stack(graph, parts, root, stack, outputs, options)))
    drawing = Drawing(graph.name, _description(graph, stacks))
    drawing.theme, drawing.direction = options.theme, options.direction
    placed = side_by_side(columns)
    distinct(placed)
    for column in placed:
        drawing.boxes += column.boxes
        drawing.frames += column.frames
        drawing.edges += column.edges
        drawing.texts += column.texts
    readings(drawing, placed, {key: stack for stack, key in outputs.items()})
    ties(drawing, parts, placed)
    if options.direction == "right":
        turn(drawing)
    mark(drawing, options.marks)
    if notes or options.legend:
        from .below import caption, legend

        caption(drawing, notes)
        if options.legend:
            legend(drawing)
    _fit(drawing)
    return drawing


def _costs(parts: Parts) -> list[str]:
    """Add costs to each box; returns notes."""
    from .costs import say_costs

    return say_costs(parts)


def _stacks(graph: ModuleGraph, wanted: str | None) -> list[str]:
    if wanted is None:
        return list(graph.hidden)
    if wanted not in graph.hidden:
        raise DrawError(f"unknown stack `{wanted}`; {choices(wanted, list(graph.hidden))}")
    return [wanted]


def _description(graph: ModuleGraph, wanted: list[str]) -> str:
    """A description of the figure in one sentence, for screen readers."""
    stacks = []
    for name in wanted:
        layers = [s for s in graph.scopes.values() if s.role == "layers" and s.stack == name]
        depth = sum(len(each.order) for each in layers)
        stacks.append(f"{name} of {plain(depth)} {'layer' if depth == 1 else 'layers'}")
    return f"{graph.name}: {', '.join(stacks)}; results: {', '.join(graph.outputs)}."


# -- one column


def _stack(
    graph: ModuleGraph,
    parts: Parts,
    root: Region,
    stack: str,
    outputs: dict[str, str],
    options: DrawOptions,
) -> Arrangement:
    """A stack from its input to its hidden states, then its heads."""
    own = outputs[stack]
    others = frozenset(key for key in outputs.values() if key != own)
    trunk = arrange_from(root, own, others)
    heads = [head for head in graph.outputs if _belongs(graph, parts, root, head, own, outputs)]
    found = [_head(graph, parts, root, head, own, options) for head in heads]
    lanes = [*trunk.lanes, *(lane for each in found for lane in each.lanes)]
    columns = [each.column for each in found]
    if not found and options.stack is not None:
        columns = [[Item(_states(graph, stack, options))]]
    top: Column = [Fork(columns)] if len(columns) > 1 else columns[0] if columns else []
    return Arrangement([*trunk.column, *top], lanes)


def _streams(
    graph: ModuleGraph,
    parts: Parts,
    root: Region,
    stack: str,
    options: DrawOptions,
    states: frozenset[str],
) -> Placed:
    """A stack with several streams, each with its input below it and its result above it."""
    from .place_streams import StreamsPlacer

    scope = next(s for s in graph.scopes.values() if s.role == "layers" and s.stack == stack)
    layers = parts.by_key[scope.path]
    below, above = [], []
    for name, source in zip(graph.streams[stack], scope.sources, strict=True):
        below.append(arrange_from(root, parts.source(source, ROOT) or "", frozenset()))
        head = _head(graph, parts, root, name, layers.key, options)
        above.append(head)
    return StreamsPlacer(parts, root, states, options).place_all(layers, below, above)


def _belongs(
    graph: ModuleGraph, parts: Parts, root: Region, head: str, own: str, outputs: dict[str, str]
) -> bool:
    """Whether a head is drawn above this stack, the last one that it depends on."""
    key = parts.source(graph.outputs[head], ROOT) or ""
    below = {key, *root.ancestors.get(key, ())}
    drawn = [output for output in outputs.values() if output in below]
    return own == (drawn[-1] if drawn else outputs.get(graph.heads[head].stack))


def _states(graph: ModuleGraph, stack: str, options: DrawOptions) -> Part:
    """The text above a stack that is drawn alone and has no head."""
    shape = (shape_text(graph, graph.hidden[stack]),) if options.shapes else ()
    title = f"{words(stack)} states"
    part = Part(f"result.{stack}", "text", "text", ROOT, stack, title, shape)
    part.sideways = options.direction == "right"
    return part


def _head(
    graph: ModuleGraph, parts: Parts, root: Region, head: str, own: str, options: DrawOptions
) -> Arrangement:
    value = graph.outputs[head]
    arrangement = arrange_from(root, parts.source(value, ROOT) or "", frozenset([own]))
    label = graph.values[value].shape[-1].label
    title = _RESULTS.get(label, words(head).lower())
    if len(graph.outputs) > 1 and title != head:
        title = f"{head}: {title}"
    shape = (shape_text(graph, value),) if options.shapes else ()
    part = Part(f"result.{head}", "text", "text", ROOT, head, title, shape)
    part.sideways = options.direction == "right"
    return Arrangement([*arrangement.column, Item(part)], arrangement.lanes)


def _fit(drawing: Drawing) -> None:
    """Move the figure to (0, 0), with a margin."""
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
