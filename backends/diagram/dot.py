"""Write a drawing as DOT with all positions; `neato -n2` draws it, `dot` computes a new layout."""

from __future__ import annotations

import math
from html import escape

import graphviz

from .drawing import COUNT, FONT_SIZES, NAME, SMALL, Box, Drawing, Edge, Frame, Line, Point, Text
from .palette import SIGNS, theme
from .svg import BADGE, OUTLINE, RADIUS, identity, towards
from .text import ROOM, clean, text_width

FONT = "Helvetica"
HEAD = 6.2
BOLD = 1.07  # how much wider bold words are
KAPPA = 0.5523  # a quarter of a circle as a cubic curve


def dot(drawing: Drawing, font: str = FONT, *, whole_page: bool = False) -> str:
    """DOT text. Nodes, clusters and edges have the classes and ids of the SVG.

    `whole_page`: add invisible points in the corners, because Graphviz crops the page.
    """
    return _Writer(drawing, font, whole_page=whole_page).source()


class _Writer:
    def __init__(self, drawing: Drawing, font: str, *, whole_page: bool) -> None:
        self.drawing = drawing
        self.whole_page = whole_page
        self.font = font
        self.theme = theme(drawing.theme)

    def source(self) -> str:
        drawing = self.drawing
        flow = self.theme.strokes["flow"]
        graph = graphviz.Digraph(
            identity(drawing.title).removeprefix("n-"),
            graph_attr={
                "rankdir": "LR" if drawing.direction == "right" else "BT",
                "newrank": "true",
                "bb": f"0,0,{_number(drawing.width)},{_number(drawing.height)}",
                "bgcolor": self.theme.page,
                "fontname": self.font,
                "outputorder": "edgesfirst",
                "ranksep": "0.3",
                "pad": "0",
                "margin": "0",
            },
            node_attr={
                "fontname": self.font,
                "fixedsize": "shape",
                "shape": "box",
                "penwidth": "1.3",
                "fontcolor": self.theme.ink,
            },
            edge_attr={
                "color": flow.colour,
                "penwidth": str(flow.width),
                "arrowsize": "0.62",
                "fontname": self.font,
            },
        )
        for index, corner in enumerate([(0.0, 0.0), (drawing.width, drawing.height)]):
            if self.whole_page:
                point = {"shape": "point", "style": "invis", "width": "0.001", "height": "0.001"}
                graph.node(f"corner-{index}", "", pos=_at(corner), **point)
        self.inside(graph, "")
        for index, text in enumerate(drawing.texts):
            self.text(graph, text, index)
        for edge in drawing.edges:
            self.edge(graph, edge)
        for part in drawing.parts():
            if part.mark:
                self.mark(graph, part)
        source: str = graph.source
        return source

    def inside(self, graph: graphviz.Digraph, parent: str) -> None:
        """The direct children of a frame."""
        for box in self.drawing.boxes:
            if box.frame == parent:
                self.box(graph, box)
        for frame in self.drawing.frames:
            if frame.parent == parent:
                with graph.subgraph(name=f"cluster_{identity(frame.id)}") as cluster:
                    cluster.attr(**self.frame(frame))
                    self.inside(cluster, frame.id)

    def frame(self, frame: Frame) -> dict[str, str]:
        inner = self.drawing.is_inner(frame)
        fill, border = self.theme.inner_frame if inner else self.theme.frame
        module = frame.look in self.theme.looks
        if module:
            fill, border = self.theme.looks["other"].fill, self.theme.looks[frame.look].border
        corners = (frame.left, frame.bottom, frame.right, frame.top)
        attributes = {
            "bb": ",".join(map(_number, corners)),
            "style": "rounded,filled",
            "fillcolor": fill,
            "color": border,
            "penwidth": "1.1",
            "label": "",
            "class": " ".join(filter(None, ("frame", frame.look * module, _marked(frame)))),
            "id": identity(frame.id),
            "tooltip": clean(frame.path),
        }
        if frame.name:
            width = text_width(frame.name, FONT_SIZES[NAME]) * BOLD
            name = f'<FONT COLOR="{self.theme.muted}"><B>{_html(frame.name)}</B></FONT>'
            for line in frame.lines:
                width = max(width, text_width(line, FONT_SIZES[SMALL]))
                small = f'<FONT COLOR="{self.theme.muted}" POINT-SIZE="{FONT_SIZES[SMALL]:g}">'
                name += f'<BR ALIGN="LEFT"/>{small}{_html(line)}</FONT>'
            attributes["label"] = f'<{name}<BR ALIGN="LEFT"/>>' if frame.lines else f"<{name}>"
            attributes["fontsize"] = str(FONT_SIZES[NAME])
            middle = frame.top - 12 - 6.5 * len(frame.lines)
            attributes["lp"] = _at((frame.left + 9 + frame.indent + width / ROOM / 2, middle))
            attributes["labeljust"], attributes["labelloc"] = "l", "b"
        return attributes

    def label(self, lines: list[Line]) -> str:
        """An HTML label with small, grey lines."""
        rows = []
        for line in lines:
            text, size = _html(line.text), FONT_SIZES[line.role]
            colour = f' COLOR="{self.theme.muted}"' if line.role == SMALL else ""
            rows.append(f'<TR><TD><FONT POINT-SIZE="{size:g}"{colour}>{text}</FONT></TD></TR>')
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0.8">'
        return f"<{table}{''.join(rows)}</TABLE>>"

    def box(self, graph: graphviz.Digraph, box: Box) -> None:
        attributes = {
            "pos": _at((box.x, box.y)),
            "width": f"{box.width / 72:.4f}",
            "height": f"{box.height / 72:.4f}",
            "class": " ".join(filter(None, ("node", box.look, _marked(box)))),
            "id": identity(box.id),
            "tooltip": graphviz.escape(clean(box.tip)),
            "label": self.label(box.lines) if box.lines else "",
        }
        if box.form == "text":
            attributes |= {"shape": "plaintext"}
        else:
            paint = self.theme.looks[box.look]
            attributes |= {"fillcolor": paint.fill, "color": paint.border}
            circle = box.form == "circle"
            attributes |= {"style": "filled" if circle else "rounded,filled"}
            attributes |= {"shape": "circle"} if circle else {}
        graph.node(identity(box.id), **attributes)

    def mark(self, graph: graphviz.Digraph, part: Box | Frame) -> None:
        """The outline and badge of a marked part, as separate nodes."""
        colour = self.theme.marks[part.mark]
        if isinstance(part, Box):
            middle, size = (part.x, part.y), (part.width, part.height)
        else:
            middle = (part.left + part.right) / 2, (part.bottom + part.top) / 2
            size = part.right - part.left, part.top - part.bottom
        wide, high = size[0] + 2 * OUTLINE, size[1] + 2 * OUTLINE
        graph.node(
            f"{identity(part.id)}-outline",
            label="",
            pos=_at(middle),
            width=f"{wide / 72:.4f}",
            height=f"{high / 72:.4f}",
            style="rounded,dashed" if part.mark == "removed" else "rounded",
            color=colour,
            penwidth="2",
        )
        graph.node(
            f"{identity(part.id)}-badge",
            label=SIGNS[part.mark],
            shape="circle",
            pos=_at((middle[0] + wide / 2 - 2, middle[1] + high / 2 - 2)),
            width=f"{2 * BADGE / 72:.4f}",
            height=f"{2 * BADGE / 72:.4f}",
            style="filled",
            fillcolor=colour,
            color=colour,
            fontcolor=self.theme.page,
            fontsize="11",
        )

    def text(self, graph: graphviz.Digraph, text: Text, index: int) -> None:
        size = FONT_SIZES[text.role]
        width = text_width(text.text, size)
        colour = self.theme.ink if text.role == COUNT else self.theme.muted
        if text.look == "memory":
            colour = self.theme.strokes["memory"].colour
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

    def edge(self, graph: graphviz.Digraph, edge: Edge) -> None:
        stroke = self.theme.strokes[edge.look]
        attributes = {
            "pos": _spline(edge.points, arrow=edge.arrow),
            "class": f"edge {edge.look}",
            "color": stroke.colour,
            "penwidth": str(stroke.width),
        }
        if not edge.arrow:
            attributes["arrowhead"] = "none"
        if stroke.dashes:
            attributes["style"] = "dashed" if edge.look == "tie" else "dotted"
        if edge.look == "tie":
            attributes["constraint"] = "false"
        graph.edge(identity(edge.source), identity(edge.target), **attributes)


def _marked(part: Box | Frame) -> str:
    return f"marked {part.mark}" if part.mark else ""


def _number(value: float) -> str:
    return f"{value + 0.0:.2f}"


def _at(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _html(text: str) -> str:
    return escape(clean(text), quote=True)


def _spline(points: list[Point], *, arrow: bool) -> str:
    """Rounded corners as the cubic curves that DOT's `pos` is made of."""
    end = points[-1]
    if arrow:
        points = [*points[:-1], towards(end, points[-2], HEAD)]
    found = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        start, stop = towards(corner, before, radius), towards(corner, after, radius)
        found += _straight(found[-1], start)
        found += [towards(start, corner, radius * KAPPA), towards(stop, corner, radius * KAPPA)]
        found.append(stop)
    found += _straight(found[-1], points[-1])
    text = " ".join(map(_at, found))
    return f"e,{_at(end)} {text}" if arrow else text


def _straight(start: Point, end: Point) -> list[Point]:
    length = math.dist(start, end)
    return [towards(start, end, length / 3), towards(start, end, length * 2 / 3), end]
