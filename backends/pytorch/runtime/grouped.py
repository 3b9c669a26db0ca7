"""Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245) with a cache."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def grouped_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attention of q (B, H, T, E) over k and v (B, K, S, E), each shared by H/K heads.

    For one query, the heads of a group become its queries: keys and values are read only once.
    """
    if q.size(2) != 1:
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=attn_mask,
            dropout_p=dropout_p,
            is_causal=is_causal,
            scale=scale,
            enable_gqa=True,
        )
    q = torch.unflatten(q, 1, (k.size(1), -1)).squeeze(3)  # H/K queries for each of K heads
    y = F.scaled_dot_product_attention(
        q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale
    )
    return y.flatten(1, 2).unsqueeze(2)  # (B, H, 1, E)
