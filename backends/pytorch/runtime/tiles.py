"""Attention in tiles: a run of queries with the keys that its mask admits, and no others."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Tile(NamedTuple):
    """A run of queries and the keys that it reads; a mask of None is left to SDPA."""

    queries: int  # how many, after those of the tile before
    keys: tuple[slice, ...]  # none: all of them
    mask: Tensor | None  # added to the scores: 0 where a query may attend to a key, else -inf


class KeysOfTile(torch.autograd.Function):
    """Read the keys or values (B, K, S, E) of one tile, and pass on all of them to the next tile.

    Backward, one gradient of all keys runs through the tiles and each adds its own to it; slices
    would allocate a gradient of all keys for each tile.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, keys: tuple[slice, ...]) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.keys = x.shape, keys
        found = [x[:, :, part] for part in keys]
        return x.view_as(x), found[0] if len(found) == 1 else torch.cat(found, dim=2)

    @staticmethod
    def backward(
        ctx: Any, total: Tensor | None, gradient: Tensor | None
    ) -> tuple[Tensor | None, None]:
        if gradient is None:
            return total, None
        total = gradient.new_zeros(ctx.shape) if total is None else total
        sizes = [len(range(*part.indices(total.size(2)))) for part in ctx.keys]
        for part, own in zip(ctx.keys, gradient.split(sizes, dim=2), strict=True):
            total[:, :, part] += own
        return total, None


def one_tile(queries: int, mask: Tensor | None, like: Tensor) -> list[Tile]:
    """All queries and keys as one tile, with a boolean mask."""
    if mask is not None:
        mask = torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, -torch.inf)
    return [Tile(queries, (), mask)]


def sliding_tiles(
    start: int, end: int, left: int, near: Tensor, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of the queries `start` to `end`, each with the keys from `left` before its first query.

    near: where the queries of any tile may attend to its keys, (Q, Sq)
    """
    tiles: list[Tile] = []
    hidden = [False] if attention_mask is None else (~attention_mask.bool()).any(0).tolist()
    near = torch.zeros_like(near, dtype=like.dtype).masked_fill(~near, -torch.inf)
    for first in range(start, end, near.size(0)):
        last, before = min(first + near.size(0), end), first - left
        begin, stop = max(0, before), min(before + near.size(1), end)
        mask = near[: last - first, begin - before : stop - before]
        if attention_mask is not None and any(hidden[begin:stop]):
            padding = ~attention_mask.bool()[:, None, None, begin:stop]
            mask = mask.masked_fill(padding, -torch.inf)
        tiles.append(Tile(last - first, (slice(begin, stop),), mask))
    return tiles


def split_tiles(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile]
) -> list[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Queries (B, H, Q, E), keys and values (B, K, Sq, E), and mask of each tile."""
    if not tiles[0].keys:
        return [(q, k, v, tiles[0].mask)]
    parts = []
    queries = q.split([tile.queries for tile in tiles], dim=2)
    for own, tile in zip(queries, tiles, strict=True):
        k, near_k = KeysOfTile.apply(k, tile.keys)
        v, near_v = KeysOfTile.apply(v, tile.keys)
        parts.append((own, near_k, near_v, tile.mask))
    return parts


def join_tiles(outputs: list[Tensor]) -> Tensor:
    """The outputs (B, H, Q, E) of all tiles as one, (B, H, T, E)."""
    if len(outputs) == 1:
        return outputs[0]
    return torch.cat([y.transpose(1, 2) for y in outputs], dim=1).transpose(1, 2)
