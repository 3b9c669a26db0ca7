"""A few attention maps with the tokens of their rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

from ..masks.sheet import BOLD, Group, Sheet, Words
from ..text import shorten, text_width
from .heat import HeatMap, mostly, patches
from .legend import WHOLE, legend

MOST_LABELLED = 6
COLUMNS = 3
SIDE = 250.0
PITCHES = (6.0, 24.0)
"""Smallest and largest size of a cell."""
LABEL, TITLE, SMALL = 10.0, 12.5, 10.5
WIDEST = 64.0
"""Maximum width of a token."""
NARROWEST, NAMED = 180.0, 240.0
"""Least and greatest width of the words below a narrow map."""
LEFT, TOP, BETWEEN = 16.0, 16.0, 26.0


def labelled(title: str, maps: Sequence[HeatMap]) -> Sheet:
    """Maps in rows of at most three, each with its tokens and its name."""
    pitch = _pitch(maps)
    groups: list[Group] = []
    y, right = TOP, 0.0
    columns = 2 if len(maps) == 4 else COLUMNS
    for start in range(0, len(maps), columns):
        x, bottom = LEFT, y
        for each in maps[start : start + columns]:
            group, wide, low = _panel(each, x, y, pitch)
            groups.append(group)
            x, bottom = x + wide + BETWEEN, max(bottom, low)
        right, y = max(right, x - BETWEEN), bottom + BETWEEN
    key, bottom = legend(LEFT, y + 4, masked=any(one.masks for one in maps))
    groups.append(key)
    summary = "; ".join(filter(None, (f"{m.tip}: {mostly(m)}" for m in maps if mostly(m))))
    width = max(right, LEFT + WHOLE) + LEFT
    return Sheet(title, f"{title}. {summary}", width, bottom + TOP, groups, "attention")


def _pitch(maps: Sequence[HeatMap]) -> float:
    longest = max(max(len(one.queries), len(one.keys)) for one in maps)
    return min(max(SIDE / longest, PITCHES[0]), PITCHES[1])


def _panel(one: HeatMap, x: float, y: float, pitch: float) -> tuple[Group, float, float]:
    """The panel with its top left corner at (x, y), its width and its lower end."""
    size = min(LABEL, pitch - 0.5)
    rows = [shorten(token, size, WIDEST) for token in one.queries]
    columns = [shorten(token, size, WIDEST) for token in one.keys]
    before = max(text_width(token, size) for token in rows) + 5
    above = max(text_width(token, size) for token in columns) + 5
    left, top = x + before, y + above
    group = Group("panel", one.tip)
    group.patches += patches(one.weights, left, top, pitch)
    for row, token in enumerate(rows):
        middle = top + (row + 0.5) * pitch + 0.35 * size
        group.words.append(Words(token, left - 4, middle, size, anchor="end"))
    for column, token in enumerate(columns):
        middle = left + (column + 0.5) * pitch + 0.35 * size
        group.words.append(Words(token, middle, top - 4, size, anchor="start", turned=True))
    wide, low = len(columns) * pitch, top + len(rows) * pitch
    named = max(wide, NARROWEST, min(text_width(one.module, TITLE) * BOLD, NAMED))
    head = ": ".join(filter(None, (f"head {one.head}", mostly(one))))
    lines = [(one.module, TITLE, "ink"), (head, SMALL, "muted")]
    if len({*one.stacks}) > 1:
        lines.append((f"rows: {one.stacks[0]}, columns: {one.stacks[1]}", SMALL, "muted"))
    for text, line_size, tone in lines:
        low += line_size + 5
        bold = tone == "ink"
        text = shorten(text, line_size * (BOLD if bold else 1), named)
        group.words.append(Words(text, left, low, line_size, tone, "start", bold=bold))
    return group, before + named, low
