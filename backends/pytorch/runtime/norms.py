"""Norms that torch does not have.

`Offset` in a name: multiplies by `offset + weight`; `PerHead`: each head has its own weight;
`Biased`: adds a learned bias.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NarrowingRMSNorm(nn.RMSNorm):
    """RMS norm, computed in the dtype of `x` and returned in that of the weight."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.eps).type_as(self.weight)


class WideningLinear(nn.Linear):
    """A linear layer that computes in float32 if `x` is float16, whose range T5 exceeds."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.float() if x.dtype == torch.float16 else x
        return F.linear(x, self.weight.to(x.dtype))


class OffsetRMSNorm(nn.RMSNorm):
    """RMS norm that multiplies by `1 + weight` (Zhang, Sennrich 2019, arXiv:1910.07467)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, 1 + self.weight, self.eps)


class AnyOffsetRMSNorm(nn.Module):
    """RMS norm that multiplies by `offset + weight`."""

    def __init__(self, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.offset + self.weight, self.eps)


class OffsetLayerNorm(nn.Module):
    """Layer norm that multiplies by `offset + weight`, without a bias."""

    def __init__(self, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.offset + self.weight
        return F.layer_norm(x, weight.shape, weight, eps=self.eps)


class BiasedOffsetLayerNorm(nn.Module):
    """Layer norm that multiplies by `offset + weight` and adds a bias."""

    def __init__(self, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1 - offset))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.offset + self.weight
        return F.layer_norm(x, weight.shape, weight, self.bias, self.eps)


class PerHeadRMSNorm(nn.Module):
    """RMS norm over each head's width, with a weight for each head."""

    def __init__(self, heads: int, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(heads, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], eps=self.eps) * self.weight[:, None]


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


class OffsetPerHeadRMSNorm(nn.Module):
    """RMS norm over each head's width, times `offset + weight`, with a weight for each head."""

    def __init__(self, heads: int, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((heads, width), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], eps=self.eps) * (self.offset + self.weight)[:, None]


class OffsetPerHeadLayerNorm(nn.Module):
    """Layer norm over each head's width, times `offset + weight`, with a weight for each head."""

    def __init__(self, heads: int, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((heads, width), 1 - offset))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], eps=self.eps) * (self.offset + self.weight)[:, None]


class BiasedOffsetPerHeadLayerNorm(nn.Module):
    """Layer norm over each head's width, times `offset + weight`, plus a bias; both per head."""

    def __init__(self, heads: int, width: int, eps: float, offset: float) -> None:
        super().__init__()
        self.eps = eps
        self.offset = offset
        self.weight = nn.Parameter(torch.full((heads, width), 1 - offset))
        self.bias = nn.Parameter(torch.zeros(heads, width))

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return x * (self.offset + self.weight)[:, None] + self.bias[:, None]
