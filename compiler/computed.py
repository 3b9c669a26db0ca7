"""How many scores an attention computes, of all pairs of queries and keys."""

from __future__ import annotations

from . import tile_sizes
from .formula import Formula, plain
from .graph import Op
from .rows import Rows

TRIED = 256
"""Of long sequences, so many tiles are counted."""


def computed_share(attend: Op, tokens: int) -> float:
    """The share of scores that the kernel computes for `tokens` queries and keys, 0 to 1.

    Tiles are those of sequences that are long enough; a dense mask hides scores that are computed,
    and the causal mask of SDPA skips them.
    """
    formula = attend.attrs["formula"]
    long = tokens >= tile_sizes.SHORT or attend.attrs.get("asked") == "tiles"
    if attend.attrs.get("tiles") and long:
        return min(1.0, tiled_share(formula, tokens))
    whole = str(formula) == "causal" and attend.attrs["kernel"] == "sdpa"
    return (tokens + 1) / (2 * tokens) if whole else 1.0


def tiled_share(formula: Formula, tokens: int) -> float:
    """The share of keys that tiles of the smallest size read."""
    formula, rows, size = plain(formula), Rows(tokens), tile_sizes.SMALLEST
    firsts = range(0, tokens, size)
    tried = firsts[:: max(1, len(firsts) // TRIED)]
    read, queries = 0, 0
    for first in tried:
        run, seen = range(first, min(first + size, tokens)), 0
        for query in run:
            seen |= rows.of(formula, query)
        read, queries = read + len(run) * seen.bit_count(), queries + len(run)
    return read / (queries * tokens)
