"""How many scores and masks attention in tiles computes, for a number of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from . import tile_sizes
from .formula import Formula, atoms, plain
from .graph import ModuleGraph, Op
from .mask_users import masks_of, readers
from .passes.use_tiles import use_tiles
from .reach import most, reach
from .rows import Rows
from .tile_ranges import (
    Run,
    block_size,
    class_runs,
    classes,
    is_one_row,
    open_rows,
    runs,
    tile_keys,
    tile_ranges,
)
from .tiling import ONE_RANGE, TileKind

TRIED = 256
"""Tiles that are counted; of longer sequences, so many are taken as a sample."""


@dataclass(frozen=True)
class TileCount:
    """What tiles of one sequence read and store.

    tiles   number of tiles
    keys    keys that they read in total
    scores  pairs of a query and a key that they compute
    masks   numbers of the masks, which layers share
    biased  the same per head, with a bias of the distance: tiles with the same distances share it
    """

    tiles: float
    keys: float
    scores: float
    masks: float
    biased: float


class TileCounts:
    """Counts of each mask and attention of a model for `tokens` tokens."""

    def __init__(self, graph: ModuleGraph, tokens: int) -> None:
        self.graph, self.tokens = graph, tokens
        self.used = use_tiles(graph)
        self.size = tile_sizes.of_graph(graph)
        self.made: dict[tuple[int, bool], TileCount | None] = {}

    def of(self, op: Op) -> TileCount | None:
        """The tiles of a mask, or those that an attention reads; None for one dense mask.

        A mask that is left to SDPA has one tile without numbers.
        """
        if not op.attrs.get("tiles"):
            return None
        if op.kind == "relative_bias":  # read by the masks of tiles only
            return self.of(self.graph.consumers(op.outputs[0])[0])
        rows = op.kind == "attend" and for_global_rows(self.graph, op)
        if op.kind == "mask":
            return self._of_mask(op, rows=rows)
        found = [self._of_mask(mask, rows=rows) for mask in masks_of(self.graph, op)]
        if all(count is None or (count.tiles == 1 and not count.masks) for count in found):
            return None
        return self._of_groups(found)

    def _of_mask(self, mask: Op, *, rows: bool) -> TileCount | None:
        key = mask.number, rows
        if key not in self.made:
            self.made[key] = self._count(self.used.op(mask.number), rows=rows)
        return self.made[key]

    def _of_groups(self, counts: list[TileCount | None]) -> TileCount:
        """What a head reads and computes on average, and the masks of all groups of heads."""
        every = TileCount(1, self.tokens, self.tokens**2, self.tokens**2, self.tokens**2)
        found = [count or every for count in counts]
        return TileCount(
            tiles=sum(count.tiles for count in found) / len(found),
            keys=sum(count.keys for count in found) / len(found),
            scores=sum(count.scores for count in found) / len(found),
            masks=sum(count.masks for count in found),
            biased=sum(count.biased for count in found),
        )

    def _count(self, mask: Op, *, rows: bool) -> TileCount | None:
        short = self.tokens < tile_sizes.SHORT and not mask.attrs.get("forced")
        formula = plain(mask.attrs["formula"])
        kind = mask.attrs["tiles"]
        if short or kind in (None, TileKind.WHOLE):
            return None
        if self._left_to_sdpa(mask, formula):
            return TileCount(1, self.tokens, self.tokens**2, 0, 0)
        if kind in ONE_RANGE:
            count = band_count if kind is TileKind.BAND else blocks_count
            return count(formula, self.tokens, self.size)
        bare = may_be_plain(self.graph, mask)
        if kind is TileKind.CLASSES:
            return classes_count(formula, self.tokens, self.size, bare=bare)
        return ranges_count(formula, self.tokens, self.size, rows=rows, bare=bare)

    def _left_to_sdpa(self, mask: Op, formula: Formula) -> bool:
        """Whether SDPA's causal mask is enough: no window or block, or one of all tokens."""
        windows = [atom.args[0] for atom in atoms(formula) if atom.name in ("window", "blocks")]
        covered = all(isinstance(n, int) and self.tokens <= n for n in windows)
        return mask.attrs["implicit"] == "causal" and covered


def for_global_rows(graph: ModuleGraph, attend: Op) -> bool:
    """Whether the result is used only for the queries of global tokens."""
    users = graph.consumers(attend.outputs[0])
    return bool(users) and all(
        user.kind == "select" and user.arg("a") == attend.outputs[0] for user in users
    )


def may_be_plain(graph: ModuleGraph, mask: Op) -> bool:
    """Whether the kernels that read a mask need none where it hides nothing."""
    return not any(
        user.attrs.get("kernel") != "sdpa" or for_global_rows(graph, user)
        for user in readers(graph, mask)
    )


def band_count(formula: Formula, tokens: int, size: int) -> TileCount:
    """Tiles of `size` queries that read one range of keys each."""
    far = reach(formula)
    left = tokens if far.left is None else tile_sizes.keys_before(most(far.left))
    right = 0 if far.right is None else most(far.right)
    keys = scores = tiles = 0
    biased: dict[tuple[int, int, int], int] = {}
    for first in range(0, tokens, size):
        begin, stop = max(0, first - left), min(first + size + right, tokens)
        queries, read = min(first + size, tokens) - first, stop - begin
        keys, tiles, scores = keys + read, tiles + 1, scores + queries * read
        biased[queries, begin - first, stop - first] = queries * read
    return TileCount(tiles, keys, scores, size * (left + size + right), sum(biased.values()))


def blocks_count(formula: Formula, tokens: int, size: int) -> TileCount:
    """Tiles of at most `size` queries of one block, which read its keys."""
    block = block_size(formula)
    assert block is not None
    ahead = 0 if reach(formula).right == 0 else block
    cuts = sorted({tokens, *range(0, tokens, size), *range(0, tokens, block)})
    keys = scores = 0
    biased: dict[tuple[int, int, int], int] = {}
    for first, last in pairwise(cuts):
        begin = first - first % block
        queries, stop = last - first, min(first + (ahead or size), begin + block, tokens)
        read = stop - begin
        keys, scores = keys + read, scores + queries * read
        biased[queries, begin - first, stop - first] = queries * read
    masks = size * (block + (ahead or size))
    return TileCount(len(cuts) - 1, keys, scores, masks, sum(biased.values()))


def ranges_count(
    formula: Formula, tokens: int, size: int, *, rows: bool, bare: bool
) -> TileCount | None:
    """Tiles that read several ranges; None if they read more than half of all keys.

    rows: tiles of the queries of global tokens; the others read one masked key
    bare: tiles without a masked pair have no mask
    """
    every = runs(formula, tokens, size)
    opened = [run for run in every if any(map(run.opened, open_rows(formula, every[0])))]
    whole = [run for run in opened if tile_ranges(formula, run) == ((0, tokens),)]
    rest = [run for run in every if run not in set(whole)]
    tried = rest[:: max(1, -(-len(rest) // TRIED))]
    keys, scores, masked, biased = _read_by(formula, formula, tried, bare=bare)
    scale = len(rest) / len(tried) if tried else 0.0
    queries = sum(run.last - run.first for run in whole)
    if 2 * (scale * scores + tokens * queries) > tokens * tokens:
        return None
    masks = scale * masked + (0 if bare else tokens * sum(_rows(formula, run) for run in whole))
    full = scale * biased + (0 if bare else tokens * queries)
    if rows:
        of_global = [run for run in tried if run in set(opened)]
        others = [run for run in tried if run not in set(opened)]
        keys, scores, *_ = _read_by(formula, formula, of_global, bare=bare)
        scores += sum(run.last - run.first for run in others)
        keys += len(others)
    total = scale * scores + tokens * queries
    return TileCount(len(every), scale * keys + tokens * len(whole), total, masks, full)


def classes_count(formula: Formula, tokens: int, size: int, *, bare: bool) -> TileCount:
    """Tiles that have every n-th query and key."""
    found = classes(formula)
    assert found is not None
    stride, rest = found
    every = class_runs(tokens, size, int(stride))
    tried = every[:: max(1, -(-len(every) // TRIED))]
    scale = len(every) / len(tried)
    return TileCount(
        len(every), *(scale * count for count in _read_by(formula, rest, tried, bare=bare))
    )


def _read_by(
    formula: Formula, read: Formula, tried: list[Run], *, bare: bool
) -> tuple[int, int, int, int]:
    """Keys and scores of some runs of queries, and numbers of their masks without and with bias.

    read: the formula whose ranges they read
    """
    keys = scores = masked = biased = 0
    bits = Rows(tried[0].end) if tried else None
    for run in tried:
        assert bits is not None
        ranges = tile_keys(read, run)
        count, queries = sum(map(len, ranges)), len(run.queries)
        keys, scores = keys + count, scores + count * queries
        seen = sum(_bits(part, bits) for part in ranges)
        if not bare or any(seen & ~bits.of(formula, q) for q in run.queries):
            masked += count * _rows(formula, run)
            biased += count * queries
    return keys, scores, masked, biased


def _rows(formula: Formula, run: Run) -> int:
    """Rows of the mask of a tile: one where all queries attend to the same keys."""
    return 1 if run.step == 1 and is_one_row(formula, run) else len(run.queries)


def _bits(keys: range, bits: Rows) -> int:
    """One bit per key."""
    return bits.run(keys.start, keys.stop) if keys.step == 1 else sum(1 << key for key in keys)
