"""Differential attention (Ye et al. 2024, arXiv:2410.05258)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def lambda_init(layer: int) -> float:
    """The share of the second attention map at the start of training (Ye et al. 2024,
    arXiv:2410.05258).
    """
    return 0.8 - 0.6 * math.exp(-0.3 * layer)


def difference_share(
    query1: Tensor, key1: Tensor, query2: Tensor, key2: Tensor, layer: int
) -> Tensor:
    """The share λ of the second attention map, which is subtracted from the first; a number."""
    first, second = torch.exp((query1 * key1).sum()), torch.exp((query2 * key2).sum())
    return first - second + lambda_init(layer)
