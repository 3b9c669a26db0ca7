"""Reduce a failing document: remove parts and simplify values while the same failure remains."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

from .parts import Data

SIMPLE: tuple[Any, ...] = ("none", 1, 2, "causal", "layernorm", "gelu", False)
Path = tuple[Any, ...]


def paths(data: Any, here: Path = ()) -> Iterator[Path]:
    """Every place below the top, outer ones first."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = [((*here, key), value) for key, value in items]
    for path, _ in found:
        yield path
    for path, value in found:
        if isinstance(value, (dict, list)):
            yield from paths(value, path)


def holder(data: Any, path: Path) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def smaller(data: Data) -> Iterator[Data]:
    """The document with one thing left out, one thing pulled up, or one thing simpler."""
    for path in paths(data):
        other = copy.deepcopy(data)
        inner = holder(other, path)
        value = inner.pop(path[-1])
        yield other
        if isinstance(value, dict) and isinstance(inner, dict) and len(path) < 3:
            pulled = copy.deepcopy(other)
            at = holder(pulled, path)
            at.update({k: v for k, v in value.items() if k not in at})
            yield pulled
        for simple in SIMPLE if value not in SIMPLE and not isinstance(value, bool) else ():
            other = copy.deepcopy(data)
            holder(other, path)[path[-1]] = simple
            yield other


def shrunk(data: Data, fails: Callable[[Data], bool], seconds: float = 60) -> Data:
    """The smallest document found in this time that still fails."""
    end, changed = time.monotonic() + seconds, True
    while changed and time.monotonic() < end:
        changed = False
        for other in smaller(data):
            if time.monotonic() > end:
                break
            if fails(other):
                data, changed = other, True
                break
    return data
