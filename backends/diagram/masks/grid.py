"""Convert rows of bits to squares or few rectangles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Cell = tuple[float, float, float, float]
"""Left, top, width, height."""


def grid(rows: Sequence[int], x: float, y: float, pitch: float) -> list[Cell]:
    """A square for each bit, or rectangles for runs of bits if squares would be tiny."""
    gap = 1.5 if pitch >= 7 else 1.0 if pitch >= 5 else 0.5 if pitch >= 3 else 0.0
    size = pitch - gap
    if gap:
        return [
            (x + key * pitch, y + query * pitch, size, size)
            for query, row in enumerate(rows)
            for key in _bits(row)
        ]
    return list(_rectangles(rows, x, y, pitch))


def _bits(row: int) -> Iterator[int]:
    while row:
        low = row & -row
        yield low.bit_length() - 1
        row ^= low


def _rectangles(rows: Sequence[int], x: float, y: float, pitch: float) -> Iterator[Cell]:
    """Rectangles of equal runs in consecutive rows."""
    open_: dict[tuple[int, int], int] = {}
    for query, row in enumerate([*rows, 0]):
        runs = set(_runs(row))
        for run in [run for run in open_ if run not in runs]:
            first = open_.pop(run)
            start, stop = run
            wide, high = (stop - start) * pitch, (query - first) * pitch
            yield (x + start * pitch, y + first * pitch, wide, high)
        for run in sorted(runs - open_.keys()):
            open_[run] = query


def _runs(row: int) -> Iterator[tuple[int, int]]:
    start = 0
    while row:
        zeros = (row & -row).bit_length() - 1
        row >>= zeros
        start += zeros
        ones = (~row & (row + 1)).bit_length() - 1
        yield start, start + ones
        row >>= ones
        start += ones
