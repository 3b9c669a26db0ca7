"""Lay out panels on a sheet: rectangles and text in points, with y downwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ....compiler.graph import Origin
from ..text import clean, shorten, text_width
from .colours import PAINTS, share_out
from .grid import Cell, grid
from .panel import Cells, Panel

SIDE = 224.0
"""Approximate width and height of a panel."""

LEFT, TOP, RIGHT, BOTTOM = 26.0, 22.0, 16.0, 14.0
BETWEEN = 38.0
COLUMNS = 3
NARROWEST = 400.0
"""Minimum width of a sheet, for the notes."""

TITLE, SMALL, LABEL = 13.0, 10.5, 9.5
STEP = {TITLE: 16.5, SMALL: 14.5}
BOLD = 1.15  # bold words are that much wider
WIDEST = SIDE + 18
MOST_LINES = 4


@dataclass(frozen=True)
class Patch:
    """A path of cells of one colour. `tone` is the index of a paint, or the name of a tone."""

    css: str
    tone: int | str
    cells: list[Cell]
    hole: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Words:
    """One line of text, its baseline at y; `turned` reads upwards."""

    text: str
    x: float
    y: float
    size: float
    tone: str = "muted"
    anchor: str = "middle"
    bold: bool = False
    turned: bool = False


@dataclass
class Group:
    """A panel or the legend."""

    css: str
    tip: str
    origin: Origin = ()
    patches: list[Patch] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)


@dataclass
class Sheet:
    title: str
    description: str
    width: float
    height: float
    groups: list[Group]
    kind: str = "masks"  # in the id and class of an SVG


def lay_out(title: str, panels: Sequence[Panel], notes: Sequence[str]) -> Sheet:
    """Lay out panels in rows of at most three, with a legend below."""
    columns = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    paints = share_out([[(cells.label, cells.paint) for cells in p.cells] for p in panels])
    wide = LEFT + columns * SIDE + (columns - 1) * BETWEEN + RIGHT
    width = max(wide, NARROWEST)
    left = LEFT + (width - wide) / 2
    groups: list[Group] = []
    y = TOP
    for start in range(0, len(panels), columns):
        bottoms = []
        for column, each in enumerate(panels[start : start + columns]):
            x = left + column * (SIDE + BETWEEN)
            group, bottom = _panel(each, x, y, paints)
            groups.append(group)
            bottoms.append(bottom)
        y = max(bottoms) + TOP + 10
    legend, bottom = _legend(panels, paints, notes, y, width)
    sentences = [f"{title}: the pairs of a query and a key that each mask admits."]
    sentences += [f"{p.title}: {'; '.join(p.lines)}." for p in panels]
    return Sheet(f"{title}: masks", " ".join(sentences), width, bottom + BOTTOM, [*groups, legend])


# -- a panel


def _panel(panel: Panel, x: float, y: float, paints: dict[str, int]) -> tuple[Group, float]:
    """The panel with its top left corner at (x, y), and its lower end."""
    pitch = SIDE / max(panel.queries, panel.keys)
    pitch = int(10 * pitch) / 10 if pitch >= 3 else pitch  # few digits, and sharp edges
    group = Group("panel", f"{panel.title}: {panel.lines[0]}", panel.origin)
    for css, rows in (("masked", panel.masked), ("wasted", panel.wasted)):
        group.patches += _patch(css, css, grid(rows, x, y, pitch))
    for cells in panel.cells:
        index = paints[cells.label]
        paint, squares = PAINTS[index], grid(cells.rows, x, y, pitch)
        hole = paint.hole if pitch >= 4 else ""
        group.patches += _patch(f"on {paint.name}", index, squares, hole, cells.label)
    ring = "ring" if pitch >= 4 else ""
    group.patches += _patch("padding", "padding", grid(panel.padding, x, y, pitch), ring)
    group.words += _axes(panel, x, y)
    middle, baseline = x + SIDE / 2, y + panel.queries * pitch + 20
    for line in lines_of(panel.title, TITLE * BOLD, WIDEST):
        group.words.append(Words(line, middle, baseline, TITLE, "ink", bold=True))
        baseline += STEP[TITLE]
    for text in panel.lines:
        for line in lines_of(text, SMALL, WIDEST):
            group.words.append(Words(line, middle, baseline, SMALL))
            baseline += STEP[SMALL]
    return group, baseline - STEP[SMALL]


def lines_of(text: str, size: float, width: float) -> list[str]:
    """Wrap text to at most four lines, without breaking predicates or non-breaking spaces."""
    words = [clean(word) for word in re.split(r"(?<!,) (?![|&])", text)]
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [" ".join(lines[MOST_LINES - 1 :])]
    return [shorten(line, size, width) for line in lines]


def _patch(
    css: str, tone: int | str, cells: list[Cell], hole: str = "", tip: str = ""
) -> list[Patch]:
    return [Patch(css, tone, cells, hole, tip)] if cells else []


def _axes(panel: Panel, x: float, y: float) -> list[Words]:
    keys = shorten(f"{panel.whose_keys} 0…{panel.keys - 1} →", LABEL, SIDE)
    queries = f"← queries 0…{panel.queries - 1}"
    return [
        Words(keys, x, y - 6, LABEL, anchor="start"),
        Words(queries, x - 6, y, LABEL, anchor="end", turned=True),
    ]


# -- the legend


def _legend(
    panels: Sequence[Panel], paints: dict[str, int], notes: Sequence[str], y: float, width: float
) -> tuple[Group, float]:
    """The legend: a square and its meaning for each colour, then notes."""
    group = Group("legend", "Legend")
    x, right = LEFT, width - RIGHT
    for css, tone, hole, label in _entries(panels, paints):
        label = shorten(label, 11.0, right - LEFT - 15)
        wide = 15 + text_width(label, 11.0)
        if x > LEFT and x + wide > right:
            x, y = LEFT, y + 17
        group.patches.append(Patch(css, tone, [(x, y - 9, 10.0, 10.0)], hole, label))
        group.words.append(Words(label, x + 15, y, 11.0, "ink", "start"))
        x += wide + 20
    y += 4
    for note in notes:
        for line in lines_of(note, SMALL, right - LEFT):
            y += 16
            group.words.append(Words(line, LEFT, y, SMALL, anchor="start"))
    return group, y


def _entries(
    panels: Sequence[Panel], paints: dict[str, int]
) -> Iterator[tuple[str, int | str, str, str]]:
    used: dict[int, list[str]] = {}
    every: list[Cells] = [cells for panel in panels for cells in panel.cells]
    for cells in every:
        labels = used.setdefault(paints[cells.label], [])
        if cells.label not in labels:
            labels.append(cells.label)
    for index in sorted(used):
        paint = PAINTS[index]
        yield f"on {paint.name}", index, paint.hole, "  /  ".join(used[index])
    for css, label in (
        ("padding", "padding"),
        ("wasted", "computed, then masked"),
        ("masked", "masked"),
    ):
        if any(any(getattr(panel, css)) for panel in panels):
            yield css, css, "ring" if css == "padding" else "", label
