"""Which keys a run of queries may attend to, as ranges: what attention in tiles reads.

A range is (start, stop); ranges come in any order, may overlap and pass the ends.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from .functions import drawn_blocks


def query_runs(start: int, end: int, size: int, edges: list[int]) -> list[tuple[int, int]]:
    """The queries `start` to `end` in runs of at most `size`, cut at the `edges` too."""
    cuts = {start, end, *range(start, end, size)}
    cuts.update(edge for edge in edges if start < edge < end)
    return list(pairwise(sorted(cuts)))


def strided_runs(start: int, end: int, size: int, stride: int) -> list[range]:
    """Every `stride`-th query of `start` to `end` in runs of at most `size`."""
    classes = [range(first, end, stride) for first in range(start, min(start + stride, end))]
    return [every[i : i + size] for every in classes for i in range(0, len(every), size)]


def strided_keys(queries: range, ranges: list[tuple[int, int]], end: int) -> tuple[slice, ...]:
    """The keys of the ranges whose distance from the queries is a multiple of their step."""
    own, step = queries.start % queries.step, queries.step
    merged = merge_ranges(ranges, end)
    found = [slice(part.start + (own - part.start) % step, part.stop, step) for part in merged]
    return tuple(part for part in found if part.start < part.stop) or (slice(own, own + 1, step),)


def merge_ranges(ranges: list[tuple[int, int]], end: int) -> tuple[slice, ...]:
    """Sorted, disjoint slices of these keys within 0 to `end`; the first key if there are none."""
    found: list[tuple[int, int]] = []
    for first, last in sorted((max(a, 0), min(b, end)) for a, b in ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        elif first < last:
            found.append((first, last))
    return tuple(slice(first, last) for first, last in found or [(0, 1)])


def intersect_ranges(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The keys in both lists."""
    both = [(max(a, c), min(b, d)) for a, b in some for c, d in others]
    return [(first, last) for first, last in both if first < last]


def opened_ranges(
    first: int, last: int, end: int, rows: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """All keys if one of the queries `first` to `last` is in `rows`, otherwise none."""
    return [(0, end)] if any(a < last and first < b for a, b in rows) else []


def given_ranges(global_mask: Tensor | None) -> list[tuple[int, int]]:
    """Where `global_mask` (B, S) is 1 in any sequence."""
    if global_mask is None:
        return []
    return [(key, key + 1) for key in global_mask.any(0).nonzero()[:, 0].tolist()]


def block_ranges(
    first: int, last: int, size: int, neighbours: int, origins: list[int]
) -> list[tuple[int, int]]:
    """The blocks of the queries, and `neighbours` on both sides; `origins`: where rows begin."""
    return [
        (
            origin + ((first - origin) // size - neighbours) * size,
            origin + ((last - 1 - origin) // size + neighbours + 1) * size,
        )
        for origin in origins
    ]


def in_one_block(first: int, last: int, size: int, origins: list[int]) -> bool:
    """Whether the queries `first` to `last` are in one block of `size` tokens in each sequence."""
    return all((first - origin) // size == (last - 1 - origin) // size for origin in origins)


def strided_ranges(first: int, last: int, end: int, stride: int) -> list[tuple[int, int]]:
    """The keys whose distance from one of the queries is a multiple of `stride`."""
    return [(key, key + last - first) for key in range(first % stride - stride, end, stride)]


def last_of_blocks(end: int, size: int, kept: int, origins: list[int]) -> list[tuple[int, int]]:
    """The last `kept` keys of every block."""
    return [
        (stop - kept, stop) for origin in origins for stop in range(origin % size, end + size, size)
    ]


def row_origins(attention_mask: Tensor | None) -> list[int]:
    """Distinct indices of the first token that is not padding, over the sequences."""
    if attention_mask is None or attention_mask.size(-1) == 0:
        return [0]
    return sorted(set(attention_mask.bool().long().argmax(-1).tolist()))


def random_ranges(
    first: int, last: int, end: int, size: int, count: int, seed: int
) -> list[tuple[int, int]]:
    """The key blocks that `random_blocks` draws for the queries."""
    drawn = drawn_blocks(first // size, (last - 1) // size + 1, end, size, count, seed).any(0)
    return [(block * size, (block + 1) * size) for block in drawn.nonzero()[:, 0].tolist()]


def document_ranges(
    first: int, last: int, end: int, document_ids: Tensor | None, size: int
) -> list[tuple[int, int]]:
    """The runs of `size` keys that may contain a document of the queries.

    A run is read if the range of its document ids overlaps that of the queries.
    """
    if document_ids is None:
        return [(0, end)]
    own = document_ids[:, first:last]
    low, high = own.amin(1, keepdim=True), own.amax(1, keepdim=True)  # (B, 1) each
    runs = document_ids.split(size, dim=1)
    least = torch.stack([run.amin(1) for run in runs], dim=1)
    most = torch.stack([run.amax(1) for run in runs], dim=1)
    meets = ((least <= high) & (most >= low)).any(0)
    return [(run * size, (run + 1) * size) for run in meets.nonzero()[:, 0].tolist()]


def at_most_half(
    runs: list[tuple[int, int, tuple[slice, ...]]], start: int, end: int
) -> list[tuple[int, int, tuple[slice, ...]]]:
    """The runs of queries and their keys; a single run if they read more than half of all keys."""
    read = sum((last - first) * (k.stop - k.start) for first, last, keys in runs for k in keys)
    return runs if 2 * read <= (end - start) * end else [(start, end, ())]


def keys_of(ranges: tuple[slice, ...], end: int, device: torch.device) -> Tensor:
    """Indices of the keys in the ranges; of all keys if there are no ranges."""
    every = torch.arange(end, device=device)
    return torch.cat([every[part] for part in ranges]) if ranges else every
