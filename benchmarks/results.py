"""Results of benchmarks that are measured piece by piece: a JSON record per line of a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from .measure import Timed
from .pages import conditions

FOLDER = Path(__file__).resolve().parent / "results"
Record = dict[str, Any]


def measured(timed: Timed, clock: str, **facts: object) -> Record:
    """A record: what was measured, where, how busy the machine was, and the seconds."""
    return {
        **facts,
        "seconds": {name: round(timed.median(name), 6) for name in timed.rounds},
        "rounds": len(next(iter(timed.rounds.values()))),
        "clock": clock,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        **place(),
    }


def place() -> Record:
    """When and where something is measured."""
    return {key: conditions()[key] for key in ("date", "processor", "cores", "torch")}


def append(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def latest(path: Path, *keys: str) -> list[Record]:
    """The last record of each piece: of those that agree in `keys`. None if there is no file."""
    found: dict[tuple[object, ...], Record] = {}
    if not path.exists():
        return []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found[tuple(record[key] for key in keys)] = record
    return list(found.values())
