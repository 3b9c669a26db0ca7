"""When attention in tiles is faster than with one dense mask, and how large tiles are.

The numbers were measured on the CPU (`benchmarks/scaling.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from .graph import ModuleGraph
from .reach import most, reach
from .tiling import ONE_RANGE, TileKind

SHORT = 1024
"""With fewer queries, one dense mask is as fast."""

SMALLEST, LARGEST = 64, 512
"""Queries of one tile."""

STEP = 8
"""Keys before the first query of a tile: a multiple of this, since whole vectors are faster."""

OF_NEIGHBOURS = (*ONE_RANGE, TileKind.RANGES)
"""Tiles of consecutive queries."""


def of_graph(graph: ModuleGraph) -> int:
    """Queries of a tile in the file of a model."""
    masks = [op for op in graph.ops() if op.attrs.get("tiles") in OF_NEIGHBOURS]
    reaches = [reach(op.attrs["formula"]) for op in masks if op.kind == "mask"]
    return tile_size(most(far.left) + most(far.right) + 1 for far in reaches if far.bounded)


def tile_size(widths: Iterable[int]) -> int:
    """Queries of one tile: about a quarter of the keys that a query may see, a power of two.

    widths: of each mask, how many keys a query may see
    """
    least, size = min(widths, default=0), SMALLEST
    while 2 * size <= LARGEST and 8 * size <= least:
        size *= 2
    return size


def keys_before(left: int) -> int:
    """How many keys a tile reads before its first query, which sees `left` of them."""
    return -(-left // STEP) * STEP
