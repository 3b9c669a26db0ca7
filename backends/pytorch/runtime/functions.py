"""Small functions and modules that torch does not have."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class OffsetRMSNorm(nn.Module):
    """RMS norm that multiplies by `offset + weight`."""

    def __init__(self, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.offset + self.weight, self.eps)


class OffsetLayerNorm(nn.Module):
    """Layer norm that multiplies by `offset + weight`."""

    def __init__(self, width: int, eps: float, offset: float, bias: bool) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1 - offset))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.offset + self.weight, self.bias, self.eps)


class PerHeadLayerNorm(nn.Module):
    """Layer norm over each head's width, with a weight for each head."""

    def __init__(self, heads: int, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(heads, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], eps=self.eps) * self.weight[:, None]


class BiasedPerHeadLayerNorm(nn.Module):
    """Layer norm over each head's width, with a weight and a bias for each head."""

    def __init__(self, heads: int, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(heads, width))
        self.bias = nn.Parameter(torch.zeros(heads, width))

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return x * self.weight[:, None] + self.bias[:, None]


class PerHeadRMSNorm(nn.Module):
    """RMS norm over each head's width, with a weight for each head."""

    def __init__(self, heads: int, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(heads, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], eps=self.eps) * self.weight[:, None]


class OffsetPerHeadLayerNorm(nn.Module):
    """Layer norm over each head's width that multiplies by `offset + weight`, one per head."""

    def __init__(self, heads: int, width: int, eps: float, offset: float, bias: bool) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((heads, width), 1 - offset))
        self.bias = nn.Parameter(torch.zeros(heads, width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x, x.shape[-1:], eps=self.eps) * (self.offset + self.weight)[:, None]
        return x if self.bias is None else x + self.bias[:, None]


class OffsetPerHeadRMSNorm(nn.Module):
    """RMS norm over each head's width that multiplies by `offset + weight`, one per head."""

    def __init__(self, heads: int, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((heads, width), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], eps=self.eps) * (self.offset + self.weight)[:, None]


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def swish(x: Tensor, beta: float) -> Tensor:
    return x * torch.sigmoid(beta * x)


def softcap(x: Tensor, cap: float) -> Tensor:
    """Bound x smoothly to -cap..cap."""
    return cap * torch.tanh(x / cap)


def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    """In training, drop the whole branch of a sequence with probability `rate`."""
    if not training:
        return x
    kept = x.new_empty(x.size(0), *[1] * (x.dim() - 1)).bernoulli_(1 - rate)
    return x * kept / (1 - rate)


def padding_mask(attention_mask: Tensor | None) -> Tensor | None:
    """True at real tokens, for every query. None where there is no padding."""
    return None if attention_mask is None else attention_mask.bool()[:, None, None, :]


def explicit_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    scale: float,
    cap: float,
    dropout: float = 0.0,
) -> Tensor:
    """Attention with the scores bounded to -cap..cap before the mask and the softmax.

    A query that may see nothing gets zeros.
    """
    groups = q.size(1) // k.size(1)
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = cap * torch.tanh(q @ k.transpose(-2, -1) * scale / cap)  # (B, H, T, S)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    unseen = scores == -math.inf
    scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    weights = scores.softmax(-1).masked_fill(unseen, 0.0)
    return F.dropout(weights, dropout) @ v  # (B, H, T, E)


def last_token(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The vector of each sequence's last real token."""
    if attention_mask is None:
        return x[:, -1]
    place = torch.arange(1, x.size(1) + 1, device=x.device) * attention_mask
    return x[torch.arange(x.size(0), device=x.device), place.argmax(-1)]  # (B, D)


def mean_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean of each sequence's real tokens."""
    if attention_mask is None:
        return x.mean(1)
    real = attention_mask[..., None].type_as(x)  # (B, T, 1)
    return (x * real).sum(1) / real.sum(1).clamp(min=1)  # (B, D)


def max_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The greatest of each column over each sequence's real tokens."""
    if attention_mask is None:
        return x.amax(1)
    return x.masked_fill(~attention_mask.bool()[..., None], -math.inf).amax(1)  # (B, D)


def attention_pool(x: Tensor, scores: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The tokens' vectors weighted by the softmax of their scores (B, T, 1)."""
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask.bool()[..., None], -math.inf)
    return (scores.softmax(1) * x).sum(1)  # (B, D)


def token_pool(x: Tensor, input_ids: Tensor, token_id: int) -> Tensor:
    """The vector at the first place of `token_id` in each sequence."""
    place = (input_ids == token_id).int().argmax(-1)
    return x[torch.arange(x.size(0), device=x.device), place]  # (B, D)


def random_blocks(q: Tensor, k: Tensor, size: int, count: int, seed: int) -> Tensor:
    """True in `count` pseudo-random blocks of keys for each block of queries.

    A block of queries takes the blocks of keys with the smallest hash values.
    """
    rows, columns = q // size, torch.arange(int(k.size(0) - 1) // size + 1, device=k.device)
    hashed = ((rows * 92837111) ^ (columns * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
    for _ in range(2):
        hashed = hashed * 48271 % 2147483647
    chosen = hashed.argsort(dim=-1, stable=True)[:, :count]  # (T, count)
    taken = torch.zeros_like(hashed, dtype=torch.bool).scatter(-1, chosen, True)
    return taken[:, k // size]  # (T, S)
