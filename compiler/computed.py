"""How many scores an attention computes, of all pairs of queries and keys."""

from __future__ import annotations

from .graph import Op
from .tile_counts import TileCount


def computed_share(attend: Op, tiles: TileCount | None, tokens: int) -> float:
    """The share of scores that the kernel computes for `tokens` queries and keys, 0 to 1.

    A dense mask hides scores that are computed, and the causal mask of SDPA skips them.

    tiles: what the tiles of this attention read; None for one dense mask
    """
    if tiles is not None:
        return tiles.scores / tokens**2
    whole = str(attend.attrs["formula"]) == "causal" and attend.attrs["kernel"] == "sdpa"
    return (tokens + 1) / (2 * tokens) if whole else 1.0


def flops_share(attend: Op, tiles: TileCount | None, tokens: int) -> float:
    """The share of the FLOPs of all pairs, as PyTorch counts them: a causal mask skips none.

    A sink is one more key for each query.
    """
    if tiles is None:
        return 1.0
    more = 1 if attend.arg("sinks") else 0
    return (tiles.scores + more * tokens) / (tokens * (tokens + more))
