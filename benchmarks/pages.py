"""What a run found, as text, as a page and as a figure."""

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
BEGIN, END = "<!-- numbers: made by `python -m benchmarks --write` -->", "<!-- end of numbers -->"
Results = Mapping[str, list[Timed]]


def conditions() -> dict[str, object]:
    """The machine, the versions, the day."""
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
    """Tables for a terminal: those tasks together that have the same candidates."""
    groups: dict[tuple[str, ...], list[Timed]] = {}
    for timed in results:
        groups.setdefault(tuple(timed.rounds), []).append(timed)
    return "\n\n".join(table(group, OURS) for group in groups.values())


def names_of(results: list[Timed]) -> list[str]:
    return list(dict.fromkeys(name for timed in results for name in timed.rounds))


def page(facts: Mapping[str, object], results: Results) -> str:
    """The part of docs/benchmarks.md that a run writes."""
    lines = [BEGIN, "", *(f"- {name}: {value}" for name, value in facts.items())]
    for kind, timed_ones in results.items():
        peers = [n for n in names_of(timed_ones) if n not in (OURS, FLOOR)]
        head = ["task", "emitted", *(f"{peer} / emitted" for peer in peers), "share of the floor"]
        lines += ["", f"### {kind}", "", _row(head), _row(["---"] * len(head))]
        for timed in timed_ones:
            ratios = [
                f"{timed.ratio(peer, OURS):.2f}" if peer in timed.rounds else "" for peer in peers
            ]
            floor = f"{timed.ratio(FLOOR, OURS):.0%}" if FLOOR in timed.rounds else ""
            took = f"{timed.median(OURS) * 1000:.1f} ms ± {timed.spread(OURS) / 2:.0%}"
            lines.append(_row([timed.task, took, *ratios, floor]))
    return "\n".join([*lines, "", END])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write_pages(made: str, results: Results) -> None:
    """Put the numbers into docs/benchmarks.md, whose words stay, and draw its figure."""
    path = DOCS / "benchmarks.md"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{made}{after}", encoding="utf-8")
    (DOCS / "benchmarks.svg").write_text(figure(results), encoding="utf-8")


def figure(results: Results) -> str:
    """One bar a task: how many times as long `transformers` takes; the line is 1."""
    bars = [
        (f"{timed.task} ({kind})", timed.ratio(LIBRARY, OURS))
        for kind, timed_ones in results.items()
        for timed in timed_ones
        if LIBRARY in timed.rounds
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
