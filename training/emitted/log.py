"""The log of a run: `log.jsonl`, one line per step and evaluation, and `loss.svg`, a plot."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

LINES = (("loss", "#b8b8b8"), ("val_loss", "#c2185b"))
POINTS = 1000  # maximum number of points per line


class Log:
    """Writes the log. Lines of steps after `start` are removed, since these steps are repeated.

    writes: whether this process writes; only one does
    """

    def __init__(self, path: Path, start: int, *, writes: bool) -> None:
        self.path, self.writes = path, writes
        if writes and path.exists():
            kept = [line for line in read(path) if line["step"] < start]
            fresh = path.with_suffix(".tmp")
            fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            fresh.replace(path)

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Append lines. If the disk is full, they are lost, and training continues."""
        if not self.writes:
            return
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines))
        except OSError as error:
            self.say(f"{self.path} cannot be written: {error.strerror}")
            with suppress(OSError):
                os.truncate(self.path, size)  # half a line would be joined with the next one

    def say(self, line: str, *, stays: bool = True) -> None:
        """Print a line; on a terminal, a line that is not kept is overwritten by the next."""
        if not self.writes or sys.stdout is None:  # None: stdout is closed, as for some daemons
            return
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="\n" if stays else "", flush=True)
        else:
            print(line, flush=True)

    def draw(self) -> None:
        """Plot the losses over the steps."""
        if not self.writes or not self.path.exists():
            return
        try:
            figure = self.path.with_name("loss.svg")
            figure.write_text(svg(read(self.path)), encoding="utf-8")
        except OSError as error:
            self.say(f"loss.svg cannot be written: {error.strerror}")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, except incomplete ones, left by a killed process or a full disk."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return [line for line in found if isinstance(line, dict) and "step" in line]


def svg(lines: list[dict[str, Any]]) -> str:
    """A plot of the losses, 640 x 360: training in grey, held-out data in red."""
    end = max([1, *(line["step"] for line in lines)])
    values = [line[key] for line in lines for key, _ in LINES if key in line]
    top = max(values, default=1.0) or 1.0
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" font-size="12">']
    parts.append('<rect width="640" height="360" fill="white"/>')
    for k in range(5):
        y, x = 330 - 77 * k, 50 + 140 * k
        parts.append(f'<path d="M50 {y}H610" stroke="#e4e4e4"/>')
        parts.append(f'<text x="10" y="{y + 4}">{top * k / 4:.2f}</text>')
        parts.append(f'<text x="{x}" y="350" text-anchor="middle">{end * k // 4}</text>')
    for key, colour in LINES:
        seen = [line for line in lines if key in line]
        seen = seen[:: max(1, len(seen) // POINTS)]
        places = [(50 + 560 * p["step"] / end, 330 - 308 * p[key] / top) for p in seen]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    return "\n".join([*parts, "</svg>\n"])
