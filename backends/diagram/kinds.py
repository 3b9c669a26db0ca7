"""How often each kind of block stands in a stack, and how the frames say it."""

from __future__ import annotations

from dataclasses import dataclass

from ...compiler.graph import Scope
from .fold import fold, phrases


@dataclass(frozen=True)
class Count:
    """What stands outside a frame: `12×`, and small words below it."""

    large: str = ""
    small: tuple[str, ...] = ()

    def said(self) -> str:
        return ", ".join(part for part in (self.large, *self.small) if part)


@dataclass(frozen=True)
class Counts:
    """The counts of each kind of block; `framed`: one more frame stands around them all."""

    blocks: list[Count]
    outer: Count = Count()
    framed: bool = False


def counts_of(layers: Scope, blocks: list[Scope]) -> Counts:
    """One kind: `12×`. A pattern that comes out even: `13×` around one local and one global.
    Kinds that follow one another: `3×` and `58×`. Any other order: the counts, and the order.
    """
    if len(blocks) == 1:
        return Counts([_total(blocks[0])])
    folded = fold([block.rpartition(".")[2] for block in layers.order])
    if len(folded) == 1 and len(folded[0][1]) == len(blocks):
        times, group = folded[0]
        if times == 1:
            return Counts([_total(block) for block in blocks])
        each = {kind: count for count, kind in group}
        inner = [
            Count(f"{each[block.name]}×" if each[block.name] > 1 else "", _shared(block))
            for block in blocks
        ]
        return Counts(inner, Count(f"{times}×"), framed=True)
    order = Count("", (f"{len(layers.order)} layers:", *phrases(layers.order)))
    return Counts([_total(block) for block in blocks], order, framed=True)


def _total(block: Scope) -> Count:
    return Count(f"{len(block.layer_indices)}×", _shared(block))


def _shared(block: Scope) -> tuple[str, ...]:
    if len(block.stored) == len(block.layer_indices):
        return ()
    several = f"{len(block.stored)} sets of weights"
    return ("shared weights" if len(block.stored) == 1 else several,)
