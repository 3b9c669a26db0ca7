"""Align the parts of an opened module in columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from .knots import SIDE, Knot, mean

GAP = 13.0  # between the boxes of a row
_TURNS, _SETTLE = 40, 400
Rows = list[list[Knot]]


def stand_upright(rows: Rows, spine: list[Knot]) -> None:
    """Set u of each column; entry and result are at 0."""
    column, apart = _together(rows, set())
    fixed = {column[id(knot)] for knot in spine}
    near: dict[int, list[int]] = {each: [] for each in column.values()}
    for knot in (k for row in rows for k in row):
        for other in knot.out:
            lower, upper = column[id(knot)], column[id(other)]
            if lower != upper:
                near[lower].append(upper)
                near[upper].append(lower)
    at = _start(rows, column, spine)
    for _ in range(_TURNS):
        for each, others in near.items():
            if each not in fixed and others:
                at[each] += 0.4 * (mean([at[o] for o in others], at[each]) - at[each])
        _push(at, apart, fixed)
    for _ in range(_SETTLE):
        if _push(at, apart, fixed) < 0.05:
            break
    for knot in (k for row in rows for k in row):
        if len(knot.into) > 1:
            _straighten(at, apart, fixed, column[id(knot)], [column[id(k)] for k in knot.into])
    for knot in (k for row in rows for k in row):
        knot.x = knot.exit = round(at[column[id(knot)]], 2)


def _together(rows: Rows, apart: set[str]) -> tuple[dict[int, int], dict[tuple[int, int], float]]:
    """The column of each knot, and the minimum distances of neighbours.

    Columns whose order differs between rows are split: `apart`.
    """
    column: dict[int, int] = {}
    for knot in (k for row in rows for k in row):
        alone = len(knot.into) == 1 and len(knot.into[0].out) == 1 and knot.key not in apart
        column[id(knot)] = column[id(knot.into[0])] if alone else len(set(column.values()))
    gaps: dict[tuple[int, int], float] = {}
    for a, b in (pair for row in rows for pair in pairwise(row)):
        pair = column[id(a)], column[id(b)]
        gaps[pair] = max(gaps.get(pair, 0.0), (a.room + b.room) / 2 + GAP)
    order: set[tuple[int, int]] = set()
    for row in rows:
        for index, a in enumerate(row):
            for b in row[index + 1 :]:
                pair = column[id(a)], column[id(b)]
                crossed = {a.key, b.key} - apart if pair[::-1] in order else set()
                if crossed:
                    own = a.key if a.passing and a.key in crossed else min(crossed)
                    return _together(rows, {*apart, own})
                order.add(pair)
    return column, gaps


def _start(rows: Rows, column: dict[int, int], spine: list[Knot]) -> dict[int, float]:
    at: dict[int, float] = {}
    for row in rows:
        width = sum(knot.room for knot in row) + GAP * (len(row) - 1)
        x = -width / 2
        for knot in row:
            at.setdefault(column[id(knot)], x + knot.room / 2)
            x += knot.room + GAP
    for knot in spine:
        at[column[id(knot)]] = 0.0
    return at


def _straighten(
    at: dict[int, float],
    apart: Mapping[tuple[int, int], float],
    fixed: set[int],
    own: int,
    feeders: list[int],
) -> None:
    """Align a knot with an input that is nearly below it, if there is room."""
    near = min(feeders, key=lambda other: abs(at[other] - at[own]))
    if not 0.01 < abs(at[near] - at[own]) < SIDE:
        return
    for moved, goal in ((near, at[own]), (own, at[near])):
        if moved in fixed:
            continue
        before, at[moved] = at[moved], goal
        pairs = [pair for pair in apart if moved in pair]
        if all(at[right] - at[left] >= apart[left, right] - 0.01 for left, right in pairs):
            return
        at[moved] = before


def _push(at: dict[int, float], apart: Mapping[tuple[int, int], float], fixed: set[int]) -> float:
    """Move apart columns that are too close. Returns the largest move."""
    largest = 0.0
    for (left, right), gap in apart.items():
        short = gap - (at[right] - at[left])
        if short <= 0 or (left in fixed and right in fixed):
            continue
        share = 1.0 if left in fixed or right in fixed else 0.5
        at[left] -= 0.0 if left in fixed else short * share
        at[right] += 0.0 if right in fixed else short * share
        largest = max(largest, short)
    return largest
