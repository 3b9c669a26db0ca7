"""How masks become tiles, and how attentions read them: the attributes `tiles` of their ops."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TileKind(Enum):
    """Which keys a tile of queries reads: all, one range, several ranges, or every n-th.

    A mask op has this attribute; the tiles of every n-th key have every n-th query.
    """

    WHOLE = "whole"
    BAND = "band"
    RANGES = "ranges"
    CLASSES = "classes"


@dataclass(frozen=True)
class Tiling:
    """What an attention reads in place of one dense mask.

    kinds    of the tiles; one for each group of heads if `by_head`, else one
    by_head  whether groups of heads have masks of their own
    reads    the kind that the emitted function reads, which all layers of the stack share, and
    causal   whether SDPA masks a tile that has no mask: both are set by `use_tiles`
    """

    kinds: tuple[TileKind, ...]
    by_head: bool = False
    reads: TileKind | None = None
    causal: bool = False

    def count(self, kind: TileKind) -> int:
        """How many groups of heads have tiles of this kind."""
        return self.kinds.count(kind)
