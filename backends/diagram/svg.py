"""A drawing as SVG: one group with a class, an id and a title for each part."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from .drawing import COUNT, FONT_SIZES, NAME, SMALL, Box, Drawing, Edge, Frame, Point, Text
from .palette import EDGE_COLOURS, FRAME, INK, INNER_FRAME, LOOK_COLOURS, MEMORY, MUTED
from .text import clean

FONTS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
RADIUS = 7.0
HEAD = (7.0, 2.9)  # length and half width of an arrow's head


def svg(drawing: Drawing) -> bytes:
    """The whole document, UTF-8."""
    return "\n".join(_document(drawing)).encode() + b"\n"


def _document(drawing: Drawing) -> Iterator[str]:
    width, height = number(drawing.width), number(drawing.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="figure-title figure-description" font-family="{FONTS}">'
    )
    yield f'<title id="figure-title">{text(drawing.title)}</title>'
    yield f'<desc id="figure-description">{text(drawing.description)}</desc>'
    yield f"<style>{_style()}</style>"
    outer = {frame.parent for frame in drawing.frames}
    for frame in drawing.frames:
        yield _frame(frame, drawing.height, inner=bool(frame.parent) and frame.id not in outer)
    for index, edge in enumerate(drawing.edges):
        yield _edge(edge, index, drawing.height)
    for box in drawing.boxes:
        yield _box(box, drawing.height)
    for words in drawing.texts:
        yield _text(words, drawing.height)
    yield "</svg>"


def _style() -> str:
    dark = [
        "text{fill:#e8e8ea}.small{fill:#b4b8c0}",
        ".frame>rect{fill:#1f2126;stroke:#5c6068}",
        ".edge>path{stroke:#c9ccd2}.edge>polygon{fill:#c9ccd2}",
        ".memory>path{stroke:#ff8a7a}.memory>polygon,text.memory{fill:#ff8a7a}",
    ]
    dark += [
        f".{look}>rect,.{look}>circle{{fill:{colours.dark_fill};stroke:{colours.dark_border}}}"
        for look, colours in LOOK_COLOURS.items()
    ]
    return f"@media (prefers-color-scheme:dark){{{''.join(dark)}}}"


def number(value: float) -> str:
    """At most two digits after the point, and no `-0`."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def text(value: str) -> str:
    """Text between tags: escaped, and without signs that XML forbids."""
    return escape(clean(value))


def identity(path: str) -> str:
    """An id from a scope path: `layers.block.attention` is `n-layers-block-attention`."""
    return "n-" + re.sub(r"[^A-Za-z0-9_-]", "-", path)


def _group(css: str, path: str, key: str, tip: str, inside: str) -> str:
    attributes = f"class={quoteattr(css)} id={quoteattr(identity(key))}"
    data = quoteattr(clean(path))
    return f"<g {attributes} data-path={data}><title>{text(tip)}</title>{inside}</g>"


def _frame(frame: Frame, height: float, *, inner: bool) -> str:
    fill, border = INNER_FRAME if inner else FRAME
    x, y = number(frame.left), number(height - frame.top)
    wide, high = number(frame.right - frame.left), number(frame.top - frame.bottom)
    shape = (
        f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="11" fill="{fill}" '
        f'stroke="{border}" stroke-width="1.1"/>'
    )
    if frame.name:
        left, top = frame.left + 9, height - frame.top + 15
        shape += words(frame.name, left, top, NAME, "start", f'fill="{MUTED}" font-weight="bold"')
    tip = " ".join(part for part in (frame.name, frame.count) if part)
    return _group("frame", frame.path, frame.id, tip or frame.path, shape)


def _box(box: Box, height: float) -> str:
    y = height - box.y
    shape = ""
    if box.form != "text":
        colours = LOOK_COLOURS[box.look]
        paint = f'fill="{colours.fill}" stroke="{colours.border}" stroke-width="1.3"'
        if box.form == "circle":
            shape = f'<circle cx="{number(box.x)}" cy="{number(y)}" r="{number(box.width / 2)}" '
            shape += f"{paint}/>"
        else:
            left, top = number(box.x - box.width / 2), number(y - box.height / 2)
            shape = (
                f'<rect x="{left}" y="{top}" width="{number(box.width)}" '
                f'height="{number(box.height)}" rx="{9 if box.form == "box" else 7}" {paint}/>'
            )
    for line, baseline in zip(box.lines, baselines(box), strict=True):
        fill = f'fill="{MUTED}"' if line.role == SMALL else 'fill="#17181b"'
        shape += words(line.text, box.x, height - baseline, line.role, "middle", fill)
    return _group(f"node {box.look}", box.path, box.id, box.tip, shape)


def baselines(box: Box) -> list[float]:
    """Where the lines of a box stand, so that together they are in its middle."""
    steps = [FONT_SIZES[line.role] * 1.25 for line in box.lines]
    y = box.y + sum(steps) / 2
    found = []
    for line, step in zip(box.lines, steps, strict=True):
        size = FONT_SIZES[line.role]
        found.append(y - step / 2 - size * 0.36)
        y -= step
    return found


def words(
    value: str, x: float, y: float, role: str, anchor: str, more: str = "", look: str = ""
) -> str:
    """One line of text, its baseline at y."""
    size, css = number(FONT_SIZES[role]), f"{role} {look}".rstrip()
    return (
        f'<text class="{css}" x="{number(x)}" y="{number(y)}" font-size="{size}" '
        f'text-anchor="{anchor}" {more}>{text(value)}</text>'
    )


def _text(item: Text, height: float) -> str:
    anchor = ("end", "middle", "start")[item.anchor + 1]
    y = height - item.y + FONT_SIZES[item.role] * 0.36
    colour = {"memory": MEMORY}.get(item.look, INK if item.role == COUNT else MUTED)
    return words(item.text, item.x, y, item.role, anchor, f'fill="{colour}"', item.look)


def _edge(edge: Edge, index: int, height: float) -> str:
    points = [(x, height - y) for x, y in edge.points]
    colour = EDGE_COLOURS.get(edge.look, INK)
    head = ""
    if edge.arrow:
        points, head = _arrow(points, colour)
    dashed = ' stroke-dasharray="5 4"' if edge.look == "tie" else ""
    path = f'<path d="{_path(points)}" fill="none" stroke="{colour}" stroke-width="1.25"{dashed}/>'
    ends = f"{clean(edge.source)} to {clean(edge.target)}"
    return f'<g class="edge {edge.look}" id="e-{index}"><title>{text(ends)}</title>{path}{head}</g>'


def _arrow(points: list[Point], colour: str) -> tuple[list[Point], str]:
    """The line shortened by its head, and the head."""
    (x, y), (before_x, before_y) = points[-1], points[-2]
    length = math.hypot(x - before_x, y - before_y) or 1.0
    dx, dy = (x - before_x) / length, (y - before_y) / length
    base = (x - dx * HEAD[0], y - dy * HEAD[0])
    corners = [
        (x, y),
        (base[0] - dy * HEAD[1], base[1] + dx * HEAD[1]),
        (base[0] + dy * HEAD[1], base[1] - dx * HEAD[1]),
    ]
    shape = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
    return [*points[:-1], base], f'<polygon points="{shape}" fill="{colour}"/>'


def _path(points: list[Point]) -> str:
    """Straight lines with rounded corners."""
    parts = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        parts.append(f"L{_at(_towards(corner, before, radius))}")
        parts.append(f"Q{_at(corner)} {_at(_towards(corner, after, radius))}")
    parts.append(f"L{_at(points[-1])}")
    return "".join(parts)


def _at(point: Point) -> str:
    return f"{number(point[0])},{number(point[1])}"


def _distance(a: Point, b: Point) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = _distance(start, end) or 1.0
    part = distance / length
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
