"""Counts of the kinds of blocks in a stack, for the frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...compiler.graph import Scope
from .fold import Run, fold, phrases


@dataclass(frozen=True)
class Count:
    """The count outside of a frame, `12×`, and a note below it."""

    large: str = ""
    small: tuple[str, ...] = ()

    def text(self) -> str:
        return ", ".join(part for part in (self.large, *self.small) if part)


@dataclass
class Group:
    """Kinds of blocks in a column; `outer`: they have a common frame."""

    blocks: list[tuple[Scope, Count]] = field(default_factory=list)
    outer: Count | None = None


def groups_of(order: Sequence[str], blocks: list[Scope]) -> list[Group]:
    """The frames for an order of layers, from the bottom up, each kind once.

    One kind: `12×`. A repeated pattern: `4×` around `5×` local and one global, and a note for the
    rest: `then 2 local`. Consecutive kinds: `3×` and `58×`. Other orders: a frame around the
    counts, and a note with the order.
    """
    by_name = {block.name: block for block in blocks if block.name in order}
    totals = Counter(order)
    if len(by_name) < 2:
        return [Group([(b, _count(totals[b.name], b))]) for b in by_name.values()]
    folded = fold(list(order))
    home = _homes(folded)
    if home is None:
        words = Count("", (f"{len(order)} layers:", *phrases(list(order))))
        inner = [(block, _count(totals[name], block)) for name, block in by_name.items()]
        return [Group(inner, words)]
    found: list[Group] = []
    before: list[str] = []
    for index, (times, runs) in enumerate(folded):
        if index not in home:
            counts = ", ".join(f"{count} {kind}" for count, kind in runs)
            if found:
                note(found[-1], f"then {counts}")
            else:
                before.append(f"after {counts}")
        elif times > 1:
            inner = [(by_name[k], _count(n, by_name[k], least=2)) for n, k in runs]
            found.append(Group(inner, Count(f"{times}×", tuple(before))))
            before = []
        else:
            found += [Group([(by_name[k], _count(n, by_name[k]))]) for n, k in runs]
    return found


def _homes(folded: list[tuple[int, list[Run]]]) -> set[int] | None:
    """The part of an order in which each kind is drawn; None if that is not possible.

    A kind is drawn in the part that repeats most. A part is drawn with all its kinds or not at all.
    """
    best: dict[str, int] = {}
    for index, (times, runs) in enumerate(folded):
        for _, kind in runs:
            if kind not in best or times > folded[best[kind]][0]:
                best[kind] = index
    for index, (_, runs) in enumerate(folded):
        kinds = [kind for _, kind in runs]
        chosen = [best[kind] == index for kind in kinds]
        if any(chosen) and not (all(chosen) and len(set(kinds)) == len(kinds)):
            return None
    return set(best.values())


def note(group: Group, words: str) -> None:
    """The note at the outermost frame of a group."""
    if group.outer is not None:
        group.outer = Count(group.outer.large, (*group.outer.small, words))
    else:
        block, count = group.blocks[-1]
        group.blocks[-1] = block, Count(count.large, (*count.small, words))


def _count(times: int, block: Scope, least: int = 1) -> Count:
    return Count(f"{times}×" if times >= least else "", _shared(block))


def _shared(block: Scope) -> tuple[str, ...]:
    if len(block.stored) == len(block.layer_indices):
        return ()
    several = f"{len(block.stored)} sets of weights"
    return ("shared weights" if len(block.stored) == 1 else several,)
