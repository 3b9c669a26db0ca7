"""How many queries a tile of a built file has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

ONE_TILE = 1 << 30


@contextmanager
def tiles_of(module: ModuleType, size: int, *, always: bool = True) -> Iterator[None]:
    """Let a built file compute sequences of any length in tiles of so many queries; 0: in one.

    always: also where they read more than half of all keys
    """
    file = vars(module)
    changed: dict[str, Any] = {
        "DENSE": 0 if size else ONE_TILE,
        "TILE": size or ONE_TILE,
        "STEP": 1,  # a larger one would hide a key too few
    }
    if size and always:
        changed["at_most_half"] = lambda runs, start, end: runs
    before = {name: file[name] for name in changed if name in file}
    file.update({name: changed[name] for name in before})
    try:
        yield
    finally:
        file.update(before)
