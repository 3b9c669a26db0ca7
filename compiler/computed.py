"""How many scores an attention computes, of all pairs of queries and keys."""

from __future__ import annotations

from .count import Attend
from .formula import Formula
from .graph import Op
from .tile_counts import TileCount, TileCounts


def computed_share(attend: Op, tiles: TileCount | None, tokens: int) -> float:
    """The share of scores that the kernel computes for `tokens` queries and keys, 0 to 1.

    A dense mask hides scores that are computed, and the causal mask of SDPA skips them.

    tiles: what the tiles of this attention read; None for one dense mask
    """
    return _share(attend, attend.attrs["formula"], tiles, tokens)


def computed_shares(attend: Attend, tiles: TileCounts, tokens: int) -> tuple[float, ...]:
    """The same for each group of heads with a mask of its own; empty for one mask."""
    found = []
    for each in attend.groups:
        mask, formula = each.group.mask, each.group.mask.attrs["formula"]
        count = tiles.of(mask) if each.tiles else None
        whole = count is not None and count.tiles == 1 and not count.masks
        found.append(_share(attend.op, formula, None if whole else count, tokens))
    return tuple(found)


def _share(attend: Op, formula: Formula, tiles: TileCount | None, tokens: int) -> float:
    if tiles is not None:
        return tiles.scores / tokens**2
    whole = str(formula) == "causal" and attend.attrs["kernel"] == "sdpa"
    return (tokens + 1) / (2 * tokens) if whole else 1.0


def flops_share(attend: Op, tiles: TileCount | None, tokens: int) -> float:
    """The share of the FLOPs of all pairs, as PyTorch counts them: a causal mask skips none.

    A sink is one more key for each query.
    """
    if tiles is None:
        return 1.0
    more = 1 if attend.arg("sinks") else 0
    return (tiles.scores + more * tokens) / (tokens * (tokens + more))
