"""Values of pairs of tokens. Each function is copied into the files that need it."""

import torch
from torch import Tensor


def path_bias(vectors: Tensor, edges: Tensor, weight: Tensor) -> Tensor:
    """Mean over a path's edges of vector . weight[place], (B, H, T, T); 0 for paths without edges.

    Ying et al. 2021, arXiv:2106.05234, eq. 7. vectors: (B, T, T, N, W) of the edges (B, T, T, N),
    which are 0 after the end of the path; weight: (N, W, H).
    """
    there = edges > 0
    vectors = vectors * there[..., None]
    total = torch.einsum("bqknw,nwh->bhqk", vectors, weight)
    return total / there.sum(-1).clamp(min=1)[:, None]


def outer_product_mean(left: Tensor, right: Tensor) -> Tensor:
    """Outer products (B, second, second, F*F) of (B, first, second, F), averaged over `first`."""
    total = torch.einsum("bsic,bsjd->bijcd", left, right)
    return total.flatten(-2) / left.size(1)
