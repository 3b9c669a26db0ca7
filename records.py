"""Immutable records that are made as fast as mutable ones.

`@dataclass(frozen=True)` calls `object.__setattr__` for each field of each object. Of the classes
that are made hundreds of times for one file, this takes a tenth of the time in which it is emitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, eq: bool = True, slots: bool = False, kw_only: bool = False):
        """A dataclass that is immutable for type checkers only."""
        return dataclass(eq=eq, unsafe_hash=frozen and eq, slots=slots, kw_only=kw_only)


__all__ = ["record"]
