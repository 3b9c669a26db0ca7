"""FlexAttention: masks as tables of blocks of keys, and functions that change scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, flex_attention

from .functions import drawn_blocks

BLOCK = 128
compiled_flex_attention = torch.compile(flex_attention)


def block_mask(
    ranges: list[tuple[slice, ...]],
    sees: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    queries: int,
    end: int,
    device: torch.device,
) -> BlockMask:
    """The mask of `queries` queries and `end` keys for FlexAttention.

    ranges: the keys that each block of queries may attend to
    sees: whether query q of sequence b attends to key k, for each pair in these blocks
    """
    table = torch.zeros(len(ranges), -(-end // BLOCK), dtype=torch.int32)
    for row, keys in zip(table, ranges, strict=True):
        for part in keys:
            row[part.start // BLOCK : -(-part.stop // BLOCK)] = 1
    count = table.sum(1, dtype=torch.int32)[None, None].to(device)
    order = table.argsort(dim=1, descending=True, stable=True)[None, None].to(device, torch.int32)
    lengths = queries, end
    return BlockMask.from_kv_blocks(
        count, order, BLOCK_SIZE=BLOCK, mask_mod=sees, seq_lengths=lengths
    )


def fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: BlockMask, **options: Any) -> Any:
    """FlexAttention (Dong et al. 2024, arXiv:2412.05496), compiled on CUDA.

    On the CPU, torch computes all scores, and no gradients.
    """
    attend = compiled_flex_attention if q.is_cuda else flex_attention
    return attend(q, k, v, block_mask=mask, **options)


def fused_attention_with_sinks(
    q: Tensor, k: Tensor, v: Tensor, mask: BlockMask, sinks: Tensor, **options: Any
) -> Tensor:
    """FlexAttention with a learned sink for each head (H,), which takes a share of the weights."""
    y, more = fused_attention(q, k, v, mask, return_aux=AuxRequest(lse=True), **options)
    share = torch.sigmoid(more.lse - sinks[:, None])  # of all keys but the sink, (B, H, T)
    found: Tensor = (y * share[..., None]).type_as(y)
    return found


def capped_score(cap: float) -> Callable[..., Tensor]:
    """Limit scores to (-cap, cap) smoothly."""

    def score(s: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return cap * torch.tanh(s / cap)

    return score


def same_score(s: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    """Leave scores as they are."""
    return s


def biased_score(bias: Tensor, before: Callable[..., Tensor] = same_score) -> Callable[..., Tensor]:
    """Add a bias, (H, T, S) or (B, H, T, S), to what `before` makes of scores."""
    if bias.dim() == 4 and bias.size(0) == 1:
        bias = bias[0]

    def score(s: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        added = bias[h, q, k] if bias.dim() == 3 else bias[b, h, q, k]
        return before(s, b, h, q, k) + added

    return score


def alibi_score(
    slopes: Tensor, first: int, before: Callable[..., Tensor] = same_score
) -> Callable[..., Tensor]:
    """Add the bias of ALiBi, slope (H,) * distance; `first` is the index of the first query."""

    def score(s: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return before(s, b, h, q, k) + slopes[h] * (q + first - k).abs()

    return score


def drawn_table(end: int, size: int, count: int, seed: int, device: torch.device) -> Tensor:
    """True where a block of queries may attend to a block of keys that is drawn for it."""
    blocks = (end - 1) // size + 1
    return drawn_blocks(0, blocks, end, size, count, seed).to(device)
