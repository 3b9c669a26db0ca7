"""How masks become tiles, and how attentions read them: the attributes `tiles` of their ops."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TileKind(Enum):
    """Which keys a tile of queries reads: all, those near its queries, those of its block, several
    ranges, or every n-th.

    A mask op has this attribute; the tiles of every n-th key have every n-th query.
    """

    WHOLE = "whole"
    BAND = "band"
    BLOCKS = "blocks"
    RANGES = "ranges"
    CLASSES = "classes"


ONE_RANGE = (TileKind.BAND, TileKind.BLOCKS)
"""Tiles of consecutive queries and keys, whose masks are parts of one."""


@dataclass(frozen=True)
class Tiling:
    """What an attention reads in place of one dense mask; `use_tiles` sets the last two.

    kinds    of the tiles; one for each group of heads if `by_head`, else one
    by_head  whether groups of heads have masks of their own
    reads    the kind that the emitted function reads, where other layers of the stack have another
    causal   whether SDPA masks a tile that has no mask
    """

    kinds: tuple[TileKind, ...]
    by_head: bool = False
    reads: TileKind | None = None
    causal: bool = False

    def count(self, *kinds: TileKind) -> int:
        """How many groups of heads have tiles of one of these kinds."""
        return sum(kind in kinds for kind in self.kinds)
