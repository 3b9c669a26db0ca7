"""A drawing as DOT, every place given: `neato -n2` draws it so, `dot` lays it out anew."""

from __future__ import annotations

import math
from html import escape

import graphviz

from .drawing import COUNT, FONT_SIZES, NAME, SMALL, Box, Drawing, Edge, Frame, Line, Point, Text
from .palette import EDGE_COLOURS, FRAME, INK, INNER_FRAME, LOOK_COLOURS, MEMORY, MUTED
from .svg import RADIUS, identity
from .text import clean, text_width

FONT = "Helvetica"
HEAD = 6.2
KAPPA = 0.5523  # a quarter of a circle as a cubic curve


def dot(drawing: Drawing) -> str:
    """DOT text. Nodes, clusters and edges have the classes and ids that the SVG has."""
    bounds = f"0,0,{_number(drawing.width)},{_number(drawing.height)}"
    graph = graphviz.Digraph(
        identity(drawing.title).removeprefix("n-"),
        graph_attr={
            "rankdir": "BT",
            "newrank": "true",
            "bb": bounds,
            "bgcolor": "white",
            "fontname": FONT,
            "outputorder": "edgesfirst",
            "ranksep": "0.3",
            "pad": "0.15",
        },
        node_attr={"fontname": FONT, "fixedsize": "shape", "shape": "box", "penwidth": "1.3"},
        edge_attr={"color": INK, "penwidth": "1.2", "arrowsize": "0.62", "fontname": FONT},
    )
    _inside(graph, drawing, "")
    for index, text in enumerate(drawing.texts):
        _text(graph, text, index)
    for edge in drawing.edges:
        _edge(graph, edge)
    source: str = graph.source
    return source


def _inside(graph: graphviz.Digraph, drawing: Drawing, parent: str) -> None:
    """The boxes and frames that stand directly in a frame."""
    for box in drawing.boxes:
        if box.frame == parent:
            _box(graph, box)
    for frame in drawing.frames:
        if frame.parent == parent:
            leaf = all(other.parent != frame.id for other in drawing.frames)
            with graph.subgraph(name=f"cluster_{identity(frame.id)}") as cluster:
                cluster.attr(**_frame(frame, inner=leaf and bool(parent)))
                _inside(cluster, drawing, frame.id)


def _number(value: float) -> str:
    return f"{value + 0.0:.2f}"


def _at(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _frame(frame: Frame, *, inner: bool) -> dict[str, str]:
    fill, border = INNER_FRAME if inner else FRAME
    corners = (frame.left, frame.bottom, frame.right, frame.top)
    attributes = {
        "bb": ",".join(map(_number, corners)),
        "style": "rounded,filled",
        "fillcolor": fill,
        "color": border,
        "penwidth": "1.1",
        "label": "",
        "class": "frame",
        "id": identity(frame.id),
        "tooltip": clean(frame.path),
    }
    if frame.name:
        width = text_width(frame.name, FONT_SIZES[NAME])
        attributes["label"] = f'<<FONT COLOR="{MUTED}"><B>{_html(frame.name)}</B></FONT>>'
        attributes["fontsize"] = str(FONT_SIZES[NAME])
        attributes["lp"] = _at((frame.left + 9 + width / 2, frame.top - 12))
        attributes["labeljust"], attributes["labelloc"] = "l", "b"
    return attributes


def _html(text: str) -> str:
    return escape(clean(text), quote=True)


def _label(lines: list[Line]) -> str:
    """An HTML label: the small lines are small and grey."""
    rows = []
    for line in lines:
        text, size = _html(line.text), FONT_SIZES[line.role]
        colour = f' COLOR="{MUTED}"' if line.role == SMALL else ""
        rows.append(f'<TR><TD><FONT POINT-SIZE="{size:g}"{colour}>{text}</FONT></TD></TR>')
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0.8">'
    return f"<{table}{''.join(rows)}</TABLE>>"


def _box(graph: graphviz.Digraph, box: Box) -> None:
    attributes = {
        "pos": _at((box.x, box.y)),
        "width": f"{box.width / 72:.4f}",
        "height": f"{box.height / 72:.4f}",
        "class": f"node {box.look}",
        "id": identity(box.id),
        "tooltip": graphviz.escape(clean(box.tip)),
        "label": _label(box.lines),
    }
    if box.form == "text":
        attributes |= {"shape": "plaintext"}
    else:
        colours = LOOK_COLOURS[box.look]
        attributes |= {"fillcolor": colours.fill, "color": colours.border}
        circle = box.form == "circle"
        attributes |= {"style": "filled" if circle else "rounded,filled"}
        attributes |= {"shape": "circle"} if circle else {}
    graph.node(identity(box.id), **attributes)


def _text(graph: graphviz.Digraph, text: Text, index: int) -> None:
    size = FONT_SIZES[text.role]
    width = text_width(text.text, size)
    colour = {"memory": MEMORY}.get(text.look, INK if text.role == COUNT else MUTED)
    graph.node(
        f"text-{index}",
        label=graphviz.escape(clean(text.text)),
        shape="plaintext",
        pos=_at((text.x + text.anchor * width / 2, text.y)),
        width=f"{(width + 8) / 72:.4f}",
        height=f"{size * 1.6 / 72:.4f}",
        fontsize=f"{size:g}",
        fontcolor=colour,
    )


def _edge(graph: graphviz.Digraph, edge: Edge) -> None:
    attributes = {"pos": _spline(edge.points, arrow=edge.arrow), "class": f"edge {edge.look}"}
    if edge.look in EDGE_COLOURS:
        attributes["color"] = EDGE_COLOURS[edge.look]
    if not edge.arrow:
        attributes["arrowhead"] = "none"
    if edge.look == "tie":
        attributes |= {"style": "dashed", "constraint": "false"}
    graph.edge(identity(edge.source), identity(edge.target), **attributes)


def _spline(points: list[Point], *, arrow: bool) -> str:
    """Rounded corners as the cubic curves that DOT's `pos` is made of."""
    end = points[-1]
    if arrow:
        points = [*points[:-1], _towards(end, points[-2], HEAD)]
    found = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        start, stop = _towards(corner, before, radius), _towards(corner, after, radius)
        found += _straight(found[-1], start)
        found += [_towards(start, corner, radius * KAPPA), _towards(stop, corner, radius * KAPPA)]
        found.append(stop)
    found += _straight(found[-1], points[-1])
    text = " ".join(map(_at, found))
    return f"e,{_at(end)} {text}" if arrow else text


def _straight(start: Point, end: Point) -> list[Point]:
    length = math.dist(start, end)
    return [_towards(start, end, length / 3), _towards(start, end, length * 2 / 3), end]


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = math.dist(start, end) or 1.0
    part = distance / length
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
