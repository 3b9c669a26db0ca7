"""The inputs of an op, which have names and no numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class Operands(Collection[str]):
    """The values that an op reads, by their ids; "" stands for one that is absent.

    They may be counted, searched, compared and gone through. What a single one is for, only its
    slot says, so there is no index: `op.arg("mask")` gives it, and `op.inputs[3]` is a TypeError.
    """

    __slots__ = ("_ids",)

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids = tuple(ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, value: object) -> bool:
        return value in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operands) and self._ids == other._ids

    def __hash__(self) -> int:
        return hash(self._ids)

    def __repr__(self) -> str:
        return f"Operands({list(self._ids)})"

    def renamed(self, names: dict[str, str]) -> Operands:
        """The same, where `names` lists values that others stand for; itself if it lists none."""
        if names.keys().isdisjoint(self._ids):
            return self
        return Operands(names.get(value, value) for value in self._ids)
