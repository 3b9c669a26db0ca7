"""The results of a run as text, as parts of docs/benchmarks.md and as figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import date
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .measure import Timed, table
from .models import LIBRARY, OURS
from .tasks import FLOOR

DOCS = Path(__file__).resolve().parent.parent / "docs"
END = "<!-- end of numbers -->"
Row = tuple[str, ...]


def begin(key: str) -> str:
    return f"<!-- numbers of {key}: made by `python -m benchmarks --write` -->"


def conditions() -> dict[str, object]:
    """The hardware, the versions and the date."""
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version_of(name) for name in ("torch", "transformers", "x-transformers")},
    }


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    place = Path("/proc/cpuinfo")
    if place.exists():
        for line in place.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def text_table(results: list[Timed]) -> str:
    """Tables for a terminal; tasks with the same candidates share a table."""
    groups: dict[tuple[str, ...], list[Timed]] = {}
    for timed in results:
        groups.setdefault(tuple(timed.rounds), []).append(timed)
    return "\n\n".join(table(group, OURS) for group in groups.values())


def names_of(results: list[Timed]) -> list[str]:
    return list(dict.fromkeys(name for timed in results for name in timed.rounds))


def rows(results: list[Timed]) -> list[Row]:
    """The table of a page, with its header: our time, and the others as multiples of it."""
    peers = [name for name in names_of(results) if name not in (OURS, FLOOR)]
    with_floor = any(FLOOR in timed.rounds for timed in results)
    head = ["task", "emitted", *(f"{peer} / emitted" for peer in peers)]
    found: list[Row] = [(*head, f"linear layers / {OURS}") if with_floor else tuple(head)]
    for timed in results:
        ratios = [
            f"{timed.ratio(peer, OURS):.2f}" if peer in timed.rounds else "" for peer in peers
        ]
        took = f"{timed.median(OURS) * 1000:.1f} ms ± {timed.spread(OURS) / 2:.0%}"
        floor = [f"{timed.ratio(FLOOR, OURS):.0%}" if FLOOR in timed.rounds else ""]
        found.append((timed.task, took, *ratios, *(floor if with_floor else [])))
    return found


def part(facts: Mapping[str, object], table: list[Row], image: str = "") -> str:
    """What a run writes into docs/benchmarks.md: the conditions, a table, a figure."""
    head, *lines = table
    measured_with = "; ".join(f"{name} {value}" for name, value in facts.items())
    made = [f"Measured with: {measured_with}.", "", _row(head), _row(("---",) * len(head))]
    made += [_row(line) for line in lines]
    if image:
        title = "The time of transformers divided by that of the emitted model, for each task"
        made += ["", f'<p><img src="{image}" width="640" alt="{title}"></p>']
    return "\n".join(made)


def _row(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def written(page: str, key: str, made: str) -> str:
    """The page with the part `key` replaced; the rest is unchanged."""
    before, mark, rest = page.partition(begin(key))
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"the page has no place for {key}: {begin(key)}")
    return f"{before}{mark}\n\n{made}\n\n{end}{after}"


def write_part(key: str, facts: Mapping[str, object], results: list[Timed]) -> None:
    """A table of times goes into docs/benchmarks.md, and its figure beside it."""
    image = f"benchmarks_{key}.svg"
    (DOCS / image).write_text(figure(results), encoding="utf-8")
    write_rows(key, facts, rows(results), image)


def write_rows(key: str, facts: Mapping[str, object], table: list[Row], image: str = "") -> None:
    path = DOCS / "benchmarks.md"
    page = written(path.read_text(encoding="utf-8"), key, part(facts, table, image))
    path.write_text(page, encoding="utf-8")


def figure(results: list[Timed]) -> str:
    """One bar per task: the time of `transformers` divided by ours; a line marks 1."""
    bars = [
        (timed.task, timed.ratio(LIBRARY, OURS)) for timed in results if LIBRARY in timed.rounds
    ]
    most = max([ratio for _, ratio in bars] + [1.2])
    left, wide, step = 330, 330, 20
    height = step * len(bars) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 60} {height}" '
        f'role="img" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        "<title>Time of transformers divided by that of the emitted model</title>",
        f'<rect width="{left + wide + 60}" height="{height}" fill="#ffffff"/>',
    ]
    for place, (name, ratio) in enumerate(bars):
        y, long = 30 + step * place, wide * ratio / most
        fill = "#0A5FA5" if ratio >= 0.98 else "#B3261E"
        parts += [
            f'<text x="{left - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left}" y="{y}" width="{long:.1f}" height="14" fill="{fill}"/>',
            f'<text x="{left + long + 5:.1f}" y="{y + 11}">{ratio:.2f}</text>',
        ]
    one = left + wide / most
    parts += [
        f'<path d="M{one:.1f} 24V{height - 16}" stroke="#3E4046" stroke-dasharray="3 3"/>',
        f'<text x="{one:.1f}" y="17" text-anchor="middle">as fast as transformers</text>',
        "</svg>\n",
    ]
    return "\n".join(parts)
