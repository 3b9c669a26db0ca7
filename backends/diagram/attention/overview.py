"""All layers and heads of a model as small attention maps: a row per layer, a column per head."""

from __future__ import annotations

from collections.abc import Sequence

from ..masks.sheet import Group, Sheet, Words, lines_of
from ..text import text_width
from .heat import HeatMap, mostly, patches
from .legend import WHOLE, legend

MOST_MAPS = 1024
WIDTH = 860.0
SIDES = (26.0, 96.0)
"""Smallest and largest side of a map."""
GAP, TOP, LEFT = 6.0, 18.0, 14.0
LABEL, SMALL = 10.5, 10.0
NOTED = 60
"""Number of tokens that are listed below."""


def overview(title: str, maps: Sequence[HeatMap]) -> Sheet:
    """A row for each attention, in the order of the maps, and a column for each head."""
    modules = list(dict.fromkeys(one.module for one in maps))
    heads = sorted({one.head for one in maps})
    before = max(text_width(module, LABEL) for module in modules) + 10
    side = (WIDTH - before) / len(heads) - GAP
    side = min(max(side, SIDES[0]), SIDES[1])
    left, top = LEFT + before, TOP + 12
    rows = _rows(maps, modules, top, side)
    groups = [_names(rows, heads, left, top, side)]
    for one in maps:
        found = mostly(one)
        group = Group("panel", f"{one.tip}: {found}" if found else one.tip)
        x, y = left + heads.index(one.head) * (side + GAP), rows[one.module][0]
        group.patches += patches(one.weights, x, y, side / _longest(one))
        groups.append(group)
    width = max(left + len(heads) * (side + GAP), LEFT + WHOLE) + LEFT
    bottom = max(y + high for y, high in rows.values())
    key, y = legend(LEFT, bottom + 18, masked=any(one.masks for one in maps))
    for line in _tokens(maps, width - 2 * LEFT):
        y += 15
        key.words.append(Words(line, LEFT, y, SMALL, anchor="start"))
    groups.append(key)
    summary = f"{title}: {len(modules)} attentions of {len(heads)} heads, rows are queries."
    return Sheet(title, summary, width, y + TOP, groups, "attention")


def _longest(one: HeatMap) -> int:
    return max(len(one.queries), len(one.keys), 1)


def _rows(
    maps: Sequence[HeatMap], modules: Sequence[str], top: float, side: float
) -> dict[str, tuple[float, float]]:
    """The top and the height of the row of each attention."""
    high = {one.module: side * len(one.queries) / _longest(one) for one in maps}
    found, y = {}, top
    for module in modules:
        found[module] = y, max(high[module], LABEL)
        y += found[module][1] + GAP
    return found


def _names(
    rows: dict[str, tuple[float, float]],
    heads: Sequence[int],
    left: float,
    top: float,
    side: float,
) -> Group:
    """The names of rows and columns."""
    group = Group("names", "layers and heads")
    for module, (y, high) in rows.items():
        group.words.append(Words(module, left - 8, y + high / 2 + 4, LABEL, "ink", "end"))
    for column, head in enumerate(heads):
        name = f"head {head}" if side >= 44 else str(head)
        x = left + column * (side + GAP) + side / 2
        group.words.append(Words(name, x, top - 7, LABEL, "ink"))
    return group


def _tokens(maps: Sequence[HeatMap], width: float) -> list[str]:
    """The tokens of each stack, and which stacks are rows and columns."""
    shown: dict[tuple[str, tuple[str, ...]], None] = {}
    for one in maps:
        shown |= dict.fromkeys(zip(one.stacks, (one.queries, one.keys), strict=True))
    found = []
    for stack, tokens in shown:
        more = " …" if len(tokens) > NOTED else ""
        words = f"{len(tokens)} token{'' if len(tokens) == 1 else 's'}"
        text = f"{f'{stack}, ' if stack else ''}{words}: {' '.join(tokens[:NOTED])}{more}"
        found += lines_of(text, SMALL, width)
    return [*found, *_axes(maps, width)]


def _axes(maps: Sequence[HeatMap], width: float) -> list[str]:
    """What rows and columns are, for maps between two stacks."""
    crossing = {one.module.rpartition(".")[2]: one.stacks for one in maps if len({*one.stacks}) > 1}
    found = ["rows are queries, columns are keys"]
    found += [f"{name}: {rows} × {columns}" for name, (rows, columns) in crossing.items()]
    return lines_of("; ".join(found), SMALL, width)
