"""Write a drawing as SVG: one group with a class, an id and a title per part."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from .drawing import COUNT, FONT_SIZES, NAME, SIGN, SMALL, Box, Drawing, Edge, Frame, Point, Text
from .palette import SIGNS, Paint, Theme, dark_style, theme
from .quoting import escape, quoteattr
from .text import clean

FONTS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
RADIUS = 7.0
HEAD = (7.0, 2.9)  # length and half width of an arrow's head
OUTLINE = 3.0  # from a part to the line around it that marks it
BADGE = 7.5  # the radius of the sign on that line


def svg(drawing: Drawing) -> bytes:
    """The document in UTF-8."""
    return "\n".join(_Writer(drawing).document()).encode() + b"\n"


class _Writer:
    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.height = drawing.height
        self.theme: Theme = theme(drawing.theme)

    def document(self) -> Iterator[str]:
        drawing = self.drawing
        width, height = number(drawing.width), number(drawing.height)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
            f'viewBox="0 0 {width} {height}" role="img" '
            f'aria-labelledby="figure-title figure-description" font-family="{FONTS}">'
        )
        yield f'<title id="figure-title">{text(drawing.title)}</title>'
        yield f'<desc id="figure-description">{text(drawing.description)}</desc>'
        if drawing.theme == "auto":
            yield f"<style>{dark_style()}</style>"
        else:
            yield f'<rect class="page" width="100%" height="100%" fill="{self.theme.page}"/>'
        for frame in drawing.frames:
            yield self.frame(frame)
        for index, edge in enumerate(drawing.edges):
            yield self.edge(edge, index)
        for box in drawing.boxes:
            yield self.box(box)
        for words in drawing.texts:
            yield self.text(words)
        yield "</svg>"

    # -- parts

    def frame(self, frame: Frame) -> str:
        inner = self.drawing.is_inner(frame)
        paint = self.theme.inner_frame if inner else self.theme.frame
        if frame.look in self.theme.looks:
            paint = Paint(self.theme.looks["other"].fill, self.theme.looks[frame.look].border)
        middle = (frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2
        size = frame.right - frame.left, frame.top - frame.bottom
        shape = self.rect(middle, size, 11, paint, 1.1)
        if frame.name:
            left, top = frame.left + 9 + frame.indent, self.height - frame.top + 15
            bold = f'fill="{self.theme.muted}" font-weight="bold"'
            shape += words(frame.name, left, top, NAME, "start", bold)
            for line in frame.lines:
                top += 12
                shape += words(line, left, top, SMALL, "start", f'fill="{self.theme.muted}"')
        tip = " ".join(part for part in (frame.name, frame.count) if part)
        css = "frame inner" if inner else "frame"
        if frame.look in self.theme.looks:
            css = f"frame module {frame.look}"
        return self.part(frame, css, tip or frame.path, shape, middle, size)

    def box(self, box: Box) -> str:
        shape, size = "", (box.width, box.height)
        if box.form == "circle":
            paint = self.theme.looks[box.look]
            shape = (
                f'<circle cx="{number(box.x)}" cy="{self.y(box.y)}" r="{number(box.width / 2)}" '
                f'fill="{paint.fill}" stroke="{paint.border}" stroke-width="1.3"/>'
            )
        elif box.form != "text":
            corner = 9 if box.form == "box" else 7
            shape = self.rect((box.x, box.y), size, corner, self.theme.looks[box.look], 1.3)
        for line, baseline in zip(box.lines, baselines(box), strict=True):
            fill = f'fill="{self.theme.muted if line.role == SMALL else self.theme.ink}"'
            at = box.x, self.height - baseline
            shape += words(line.text, *at, line.role, "middle", fill)
        return self.part(box, f"node {box.look}", box.tip, shape, (box.x, box.y), size)

    def part(
        self, part: Box | Frame, css: str, tip: str, inside: str, middle: Point, size: Point
    ) -> str:
        """The group of a box or frame, with class, id and origin."""
        if part.mark:
            css += f" marked {part.mark}"
            inside += self.outline(part.mark, middle, size)
        data = {"path": part.path, "spec": part.spec, "source": part.source}
        more = "".join(f" data-{k}={quoteattr(clean(v))}" for k, v in data.items() if v)
        attributes = f"class={quoteattr(css)} id={quoteattr(identity(part.id))}{more}"
        return f"<g {attributes}><title>{text(tip)}</title>{inside}</g>"

    def outline(self, mark: str, middle: Point, size: Point) -> str:
        """The outline and badge of a marked part."""
        colour = self.theme.marks[mark]
        wide, high = size[0] + 2 * OUTLINE, size[1] + 2 * OUTLINE
        dashes = ' stroke-dasharray="6 3"' if mark == "removed" else ""
        paint = Paint("none", colour)
        ring = self.rect(middle, (wide, high), 12, paint, 2.0, f'class="outline"{dashes} ')
        x, y = middle[0] + wide / 2 - 2, middle[1] + high / 2 - 2
        badge = f'<circle class="badge" cx="{number(x)}" cy="{self.y(y)}" r="{BADGE}" '
        badge += f'fill="{colour}"/>'
        fill = f'fill="{self.theme.page}" font-weight="bold"'
        sign = words(SIGNS[mark], x, self.height - y + 4, SIGN, "middle", fill)
        return ring + badge + sign

    def rect(
        self, middle: Point, size: Point, corner: float, paint: Paint, line: float, more: str = ""
    ) -> str:
        left, top = number(middle[0] - size[0] / 2), self.y(middle[1] + size[1] / 2)
        return (
            f'<rect {more}x="{left}" y="{top}" width="{number(size[0])}" '
            f'height="{number(size[1])}" rx="{corner}" fill="{paint.fill}" '
            f'stroke="{paint.border}" stroke-width="{line}"/>'
        )

    def text(self, item: Text) -> str:
        anchor = ("end", "middle", "start")[item.anchor + 1]
        y = self.height - item.y + FONT_SIZES[item.role] * 0.36
        colour = self.theme.ink if item.role == COUNT else self.theme.muted
        if item.look == "memory":
            colour = self.theme.strokes["memory"].colour
        return words(item.text, item.x, y, item.role, anchor, f'fill="{colour}"', item.look)

    def edge(self, edge: Edge, index: int) -> str:
        points = [(x, self.height - y) for x, y in edge.points]
        stroke = self.theme.strokes[edge.look]
        head = ""
        if edge.arrow:
            points, head = _arrow(points, stroke.colour)
        dashes = f' stroke-dasharray="{stroke.dashes}"' if stroke.dashes else ""
        path = (
            f'<path d="{_path(points)}" fill="none" stroke="{stroke.colour}" '
            f'stroke-width="{stroke.width}"{dashes}/>'
        )
        ends = f"{clean(edge.source)} to {clean(edge.target)}"
        opening = f'<g class="edge {edge.look}" id="e-{index}"><title>{text(ends)}</title>'
        return f"{opening}{path}{head}</g>"

    def y(self, up: float) -> str:
        """y in SVG, which points downwards."""
        return number(self.height - up)


# -- words and numbers


def number(value: float) -> str:
    """At most two digits after the point, and no `-0`."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def text(value: str) -> str:
    """Text between tags: escaped, and without characters that XML forbids."""
    return escape(clean(value))


def identity(path: str) -> str:
    """An id from a scope path: `layers.block.attention` is `n-layers-block-attention`."""
    return "n-" + re.sub(r"[^A-Za-z0-9_-]", "-", path)


def words(
    value: str, x: float, y: float, role: str, anchor: str, more: str = "", look: str = ""
) -> str:
    """One line of text, its baseline at y."""
    size, css = number(FONT_SIZES[role]), f"{role} {look}".rstrip()
    return (
        f'<text class="{css}" x="{number(x)}" y="{number(y)}" font-size="{size}" '
        f'text-anchor="{anchor}" {more}>{text(value)}</text>'
    )


def baselines(box: Box) -> list[float]:
    """The baselines of a box's lines, vertically centred."""
    steps = [FONT_SIZES[line.role] * 1.25 for line in box.lines]
    y = box.y + sum(steps) / 2
    found = []
    for line, step in zip(box.lines, steps, strict=True):
        size = FONT_SIZES[line.role]
        found.append(y - step / 2 - size * 0.36)
        y -= step
    return found


# -- lines


def _arrow(points: list[Point], colour: str) -> tuple[list[Point], str]:
    """An arrow: the shortened line and the head."""
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
        radius = min(RADIUS, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        parts.append(f"L{_at(towards(corner, before, radius))}")
        parts.append(f"Q{_at(corner)} {_at(towards(corner, after, radius))}")
    parts.append(f"L{_at(points[-1])}")
    return "".join(parts)


def _at(point: Point) -> str:
    return f"{number(point[0])},{number(point[1])}"


def towards(start: Point, end: Point, distance: float) -> Point:
    length = math.dist(start, end) or 1.0
    part = distance / length
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
