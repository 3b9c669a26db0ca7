"""A figure of times by length, on two logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

COLORS = ("#3E4046", "#0A5FA5", "#B3261E", "#2E7D32", "#8E5A00", "#6A1B9A", "#00796B", "#AD1457")
LEFT, TOP, WIDE, HIGH = 84, 34, 420, 330
RIGHT, BOTTOM = 150, 46
SMALL_GAP = 15
"""Least distance of two labels, in pixels."""


def chart(title: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """The SVG of some lines: milliseconds by the number of tokens. The first one is dashed."""
    lengths = sorted({length for line in lines.values() for length in line})
    times = [time for line in lines.values() for time in line.values()]
    low, high = (
        10.0 ** math.floor(math.log10(min(times))),
        10.0 ** math.ceil(math.log10(max(times))),
    )

    def x(length: float) -> float:
        return LEFT + WIDE * _share(length, lengths[0], lengths[-1])

    def y(time: float) -> float:
        return TOP + HIGH * (1 - _share(time, low, high))

    width, height = LEFT + WIDE + RIGHT, TOP + HIGH + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT + WIDE / 2}" y="{height - 8}" text-anchor="middle">tokens</text>',
    ]
    for length in lengths:
        name = f"{length // 1024}k" if length % 1024 == 0 else f"{length:,}"
        parts.append(_grid(x(length), TOP, x(length), TOP + HIGH))
        place = f'x="{x(length):.1f}" y="{TOP + HIGH + 17}" text-anchor="middle"'
        parts.append(f"<text {place}>{name}</text>")
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        time = 10.0**power
        parts.append(_grid(LEFT, y(time), LEFT + WIDE, y(time)))
        place = f'x="{LEFT - 7}" y="{y(time) + 4:.1f}" text-anchor="end"'
        parts.append(f"<text {place}>{time:,g} ms</text>")
    ends = _apart({name: y(line[max(line)]) for name, line in lines.items()})
    for (name, line), color in zip(lines.items(), _colors(len(lines)), strict=True):
        points = " ".join(f"{x(length):.1f},{y(line[length]):.1f}" for length in sorted(line))
        dashes = ' stroke-dasharray="5 4"' if color == COLORS[0] else ""
        style = f'fill="none" stroke="{color}" stroke-width="2"{dashes}'
        parts.append(f'<polyline points="{points}" {style}/>')
        place = f'x="{x(max(line)) + 8:.1f}" y="{ends[name] + 4:.1f}" fill="{color}"'
        parts.append(f"<text {place}>{escape(name)}</text>")
    return "\n".join([*parts, "</svg>\n"])


def _share(value: float, low: float, high: float) -> float:
    """Where a value is between two others on a logarithmic axis: 0 to 1."""
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _grid(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="#E2E3E6"/>'


def _colors(count: int) -> list[str]:
    """The first color is only for the first line."""
    return [COLORS[0], *(COLORS[1 + i % (len(COLORS) - 1)] for i in range(count - 1))]


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Heights of labels, moved down where they would touch the one above."""
    found: dict[str, float] = {}
    last = -math.inf
    for name, height in sorted(wanted.items(), key=lambda item: item[1]):
        last = found[name] = max(height, last + SMALL_GAP)
    return found
