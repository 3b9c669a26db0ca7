"""Attention in tiles: a run of queries with the keys that its mask admits, and no others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .ranges import query_runs


class Tile(NamedTuple):
    """Consecutive queries and the keys that they read.

    Without `mask`, the queries attend to all these keys, or causally (by SDPA) if `keys` is empty.
    """

    queries: int  # number of queries, which follow those of the previous tile
    keys: tuple[slice, ...]  # ranges of keys; empty: all keys
    mask: Tensor | None  # added to the scores: 0 where a query may attend to a key, else -inf


class KeysOfTile(torch.autograd.Function):
    """Select the keys or values (B, K, S, E) of a tile; return all of them too, for the next tile.

    In the backward pass, the tiles add to one gradient of all keys. Plain slices would allocate
    such a gradient for each tile.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, keys: tuple[slice, ...]) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.size, ctx.keys = x.size(2), keys
        return x.view_as(x), x[:, :, keys[0]] if len(keys) == 1 else copied_keys(x, keys)

    @staticmethod
    def backward(
        ctx: Any, total: Tensor | None, gradient: Tensor | None
    ) -> tuple[Tensor | None, None]:
        if gradient is None:
            return total, None
        if total is None:  # laid out as (B, S, K, E), like the results of projections
            B, K, _, E = gradient.shape
            total = gradient.new_zeros(B, ctx.size, K, E).transpose(1, 2)
        sizes = [len(range(*part.indices(total.size(2)))) for part in ctx.keys]
        for part, own in zip(ctx.keys, gradient.split(sizes, dim=2), strict=True):
            total[:, :, part].add_(own)  # `+=` would also copy the slice onto itself
        return total, None


def copied_keys(x: Tensor, keys: tuple[slice, ...]) -> Tensor:
    """The keys or values (B, K, S, E) in these ranges, laid out as (B, S, K, E)."""
    tokens = x.transpose(1, 2)
    return torch.cat([tokens[:, part] for part in keys], dim=1).transpose(1, 2)


def one_tile(queries: int, mask: Tensor | None, like: Tensor) -> list[Tile]:
    """One tile of all queries and keys, from a boolean mask."""
    return [Tile(queries, (), None if mask is None else added_mask(mask, like))]


def added_mask(mask: Tensor, like: Tensor) -> Tensor:
    """Convert a boolean mask to numbers that are added to the scores, once for all layers."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, -torch.inf)


def sliding_tiles(
    start: int, end: int, left: int, near: Tensor, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of the queries `start` to `end`, each with the keys from `left` before its first query.

    near: True where a query of a tile may attend to a key of it, (Q, Sq)
    """
    tiles: list[Tile] = []
    hidden = [True] * end  # keys that may be padding in some sequence
    if attention_mask is not None and attention_mask.device.type == "cpu":
        hidden = (~attention_mask.bool()).any(0).tolist()  # on a GPU, this would synchronise
    near = added_mask(near, like)
    for first in range(start, end, near.size(0)):
        last, before = min(first + near.size(0), end), first - left
        begin, stop = max(0, before), min(before + near.size(1), end)
        mask = near[: last - first, begin - before : stop - before]
        if attention_mask is not None and any(hidden[begin:stop]):
            padding = ~attention_mask.bool()[:, None, None, begin:stop]
            mask = mask.masked_fill(padding, -torch.inf)
        tiles.append(Tile(last - first, (slice(begin, stop),), mask))
    return tiles


def tiles_of_blocks(
    start: int, end: int, size: int, near: Tensor, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of the queries `start` to `end`, each with the keys of its block of `size` tokens.

    The first block begins with the first token that is not padding. A tile ends where a block of
    some sequence does.

    near: True where a query of a tile may attend to a key, (Q, Sq); the first query has index
        `size` among the keys
    """
    real = torch.ones(1, end) if attention_mask is None else attention_mask.cpu()
    real = real.bool()  # (B or 1, S)
    origin = F.pad(real.long(), (0, 1)).argmax(1, keepdim=True)  # (B or 1, 1)
    edges = [edge for row in origin[:, 0].tolist() for edge in range(row % size, end, size)]
    near = added_mask(near, like)
    tiles: list[Tile] = []
    for first, last in query_runs(start, end, near.size(0), edges):
        block = first - (first - origin) % size  # start of the query's block, (B or 1, 1)
        begin = max(0, int(block.min()))
        stop = min(int(block.max()) + size, first + near.size(1) - size, end)
        mask = near[: last - first, begin - first + size : stop - first + size]
        k = torch.arange(begin, stop)
        hidden = (k < block) | (k >= block + size) | ~real[:, begin:stop]  # (B or 1, Sq)
        if hidden.any():
            mask = mask.masked_fill(hidden[:, None, None].to(like.device), -torch.inf)
        tiles.append(Tile(last - first, (slice(begin, stop),), mask))
    return tiles


def mask_of_tile(mask: Tensor, like: Tensor) -> Tensor | None:
    """The mask of a tile; None if nothing is hidden (checked only in eager mode on the CPU)."""
    if mask.device.type == "cpu" and not torch.compiler.is_compiling() and mask.all():
        return None
    return added_mask(mask, like)


def tiles_with_bias(
    tiles: list[Tile],
    start: int,
    end: int,
    device: torch.device,
    bias: Callable[[Tensor, int], Tensor],
) -> list[Tile]:
    """Add a bias of the distance alone to the masks of tiles, whose first query is `start`.

    Tiles with the same distances and the same mask share the sum, (1, H, Q, Sq).

    bias: of the queries at some positions for a number of keys, (H, Q, Sq)
    """
    found: list[Tile] = []
    shared: dict[Any, Tensor] = {}
    first = start
    for queries, keys, mask in tiles:
        ranges = keys or (slice(0, end),)
        alike: Any = len(found)  # while compiling, there is one tile
        if not torch.compiler.is_compiling():
            distances = [(part.start - first, part.stop - first) for part in ranges]
            alike = queries, None if mask is None else mask.data_ptr(), *distances
        if alike not in shared:
            q = torch.arange(first, first + queries, device=device)
            parts = [bias(q - part.start, part.stop - part.start) for part in ranges]
            total = torch.cat(parts, dim=-1)[None]
            shared[alike] = total if mask is None else total + mask
        found.append(Tile(queries, keys, shared[alike]))
        first += queries
    return found


def tiles_of_rows(tiles: list[Tile], rows: Tensor) -> list[Tile]:
    """Tiles for the queries of global tokens: tiles without one read a single, masked key.

    rows: True at these queries, (B or 1, 1, T or 1, 1)
    """
    if not tiles[0].keys:
        return tiles
    found = []
    chosen = rows.expand(-1, -1, sum(tile.queries for tile in tiles), -1).any(0)[0, :, 0].tolist()
    first = 0
    for tile in tiles:
        last = first + tile.queries
        if tile.mask is not None and not any(chosen[first:last]):
            hidden = torch.full_like(tile.mask[..., :1], -torch.inf)
            tile = Tile(tile.queries, (slice(0, 1),), hidden)
        found.append(tile)
        first = last
    return found


def tiled_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Attention of q (B, H, T, E) to k and v (B, K, S, E) tile by tile, (B, H, T, E)."""
    if not tiles[0].keys:
        return attend(q, k, v, tiles[0].mask)
    outputs = []
    for own, tile in zip(q.split([tile.queries for tile in tiles], dim=2), tiles, strict=True):
        k, near_k = KeysOfTile.apply(k, tile.keys)
        v, near_v = KeysOfTile.apply(v, tile.keys)
        outputs.append(attend(own, near_k, near_v, tile.mask).transpose(1, 2))
    return torch.cat(outputs, dim=1).transpose(1, 2)


def causal_tiled_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Causal attention tile by tile; a single tile without a mask uses `is_causal`."""
    if q.size(2) > 1 and not tiles[0].keys and tiles[0].mask is None:
        return attend(q, k, v, is_causal=True)
    return tiled_attention(q, k, v, tiles, attend)


def gathered_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Attention tile by tile, where tiles read several ranges of keys, which are copied.

    For the backward pass, the keys are copied again, not saved.
    """
    if not tiles[0].keys:
        return attend(q, k, v, tiles[0].mask)
    ranges = iter([tile.keys for tile in tiles])

    def attend_to_copies(q: Tensor, near_k: Tensor, near_v: Tensor, mask: Tensor | None) -> Tensor:
        copies = {near_k.data_ptr(): k.detach(), near_v.data_ptr(): v.detach()}
        with kept_as_ranges(copies, next(ranges)):
            return attend(q, near_k, near_v, mask)

    return tiled_attention(q, k, v, tiles, attend_to_copies)


def causal_gathered_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Causal attention tile by tile; a single tile without a mask uses `is_causal`."""
    if q.size(2) > 1 and not tiles[0].keys and tiles[0].mask is None:
        return attend(q, k, v, is_causal=True)
    return gathered_attention(q, k, v, tiles, attend)


def strided_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Attention tile by tile, where a tile has every n-th query and key (the step of its keys)."""
    step = tiles[0].keys[0].step if tiles[0].keys else None
    if step is None:
        return gathered_attention(q, k, v, tiles, attend)
    order = (torch.arange(q.size(2), device=q.device) % step).argsort(stable=True)
    grouped = q.transpose(1, 2).index_select(1, order).transpose(1, 2)  # by remainder
    y = gathered_attention(grouped, k, v, tiles, attend)
    return y.transpose(1, 2).index_select(1, order.argsort()).transpose(1, 2)


def causal_strided_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Causal attention tile by tile; a single tile without a mask uses `is_causal`."""
    if q.size(2) > 1 and not tiles[0].keys and tiles[0].mask is None:
        return attend(q, k, v, is_causal=True)
    return strided_attention(q, k, v, tiles, attend)


def recomputed(
    tiled: Callable[..., Tensor],
    q: Tensor,
    k: Tensor,
    v: Tensor,
    tiles: list[Tile],
    attend: Callable[..., Tensor],
    when: bool = True,
) -> Tensor:
    """Attention tile by tile; scores are not saved, but computed again in the backward pass.

    tiled: computes the attention from tiles
    """
    if when and tiles[0].keys and torch.is_grad_enabled():
        attend = partial(checkpoint, attend, use_reentrant=False)  # repeats dropout
    return tiled(q, k, v, tiles, attend)


def attention_by_head(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    tiles: list[list[Tile]],
    tiled: Callable[..., Tensor],
    attend: Callable[..., Tensor],
) -> Tensor:
    """Attention in equal groups of heads, each with tiles of its own, (B, H, T, E).

    tiled: computes the attention of a group from its tiles
    """
    groups = zip(*(x.chunk(len(tiles), dim=1) for x in (q, k, v)), tiles, strict=True)
    outputs = [tiled(*group, attend).transpose(1, 2) for group in groups]  # (B, T, H/G, E) each
    return torch.cat(outputs, dim=2).transpose(1, 2)


def kept_as_ranges(
    copies: dict[int, Tensor], keys: tuple[slice, ...]
) -> torch.autograd.graph.saved_tensors_hooks:
    """Context in which autograd saves the keys that all tiles share, not the copies of a tile."""

    def pack(x: Tensor) -> Any:
        every = copies.get(x.data_ptr()) if len(keys) > 1 else None  # one range is a view
        return (x, None) if every is None else (every, (x.shape, x.stride()))

    def unpack(kept: Any) -> Any:
        x, view = kept
        if view is None:
            return x
        return copied_keys(x, keys).as_strided(*view)  # it was the copy or a view of it

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
