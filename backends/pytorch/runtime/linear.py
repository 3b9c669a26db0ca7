"""Linear attention: sums over keys and values instead of scores of pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def elu_features(x: Tensor) -> Tensor:
    """elu(x) + 1, computed as exp(x) for x < 0, where the sum would lose precision."""
    return F.relu(x) + x.clamp(max=0).exp()


def without_padding(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """x (B, H, T, E) with zeros at padding in the last T columns of `attention_mask` (B, S)."""
    if attention_mask is None:
        return x
    return x * attention_mask[:, None, -x.size(2) :, None].type_as(x)


def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Linear attention over all keys, (B, H, T, E)."""
    return q @ (k.transpose(-2, -1) @ v)


def in_chunks(state: Tensor | None, *given: Tensor) -> list[Tensor]:
    """Split (B, H, T, E) into N chunks of C tokens, (B, H, N, C, E), in float32 or wider.

    Zeros are prepended, at least one chunk of them: N is never 1, for which `torch.export` would
    specialise.
    """
    tokens = given[0].size(2)
    chunk = 1 if state is not None and tokens == 1 else 64
    count = (tokens + 2 * chunk - 1) // chunk
    dtype = torch.promote_types(given[0].dtype, torch.float32)
    filled = [F.pad(x.to(dtype), (0, 0, count * chunk - tokens, 0)) for x in given]
    return [torch.unflatten(x, 2, (count, chunk)) for x in filled]


def causal_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention (B, H, T, E), and the new state (B, H, E, E).

    Pairs are computed within chunks; previous chunks contribute the sum of their keys times values,
    and previous steps `state`.
    """
    queries, keys, values = in_chunks(state, q, k, v)
    sums = keys.transpose(-2, -1) @ values  # (B, H, N, E, Ev)
    before = F.pad(sums, (0, 0, 0, 0, 1, 0))[:, :, :-1].cumsum(2)  # sums of the previous chunks
    before = before if state is None else before + state[:, :, None]
    y = (queries @ keys.transpose(-2, -1)).tril() @ values + queries @ before
    after = before[:, :, -1] + sums[:, :, -1]
    y = y.flatten(2, 3)
    return y[:, :, y.size(2) - q.size(2) :].type_as(q), after


def lightning_rates(heads: int, layer: int, layers: int, like: Tensor) -> Tensor:
    """Decay rates (H,) of Lightning attention: smaller in later heads and layers."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, device=like.device, dtype=dtype) / heads)
    return slopes * (1 - layer / (layers - 1 + 1e-5) + 1e-5)


def fading_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, rates: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention where a key at distance d is weighted by exp(-rate * d).

    The terms are within a chunk, between chunks, and from `state`, the sum over previous steps.
    """
    queries, keys, values = in_chunks(state, q, k, v)
    tokens, chunk = q.size(2), queries.size(3)
    position = torch.arange(chunk, device=q.device)[:, None]
    rates = rates[:, None, None]  # (H, 1, 1)
    near = torch.exp(-rates * (position - position.T).clamp(min=0)).tril()  # (H, C, C)
    to_end = torch.exp(-rates * (chunk - 1 - position))[:, None]  # (H, 1, C, 1)
    sums = (keys * to_end).transpose(-2, -1) @ values  # at the end of each chunk, (B, H, N, E, Ev)
    number = torch.arange(queries.size(2), device=q.device)[:, None]
    gap = (number - 1 - number.T).clamp(min=0)
    far = torch.exp(-rates * chunk * gap).tril(-1)  # (H, N, N)
    before = torch.einsum("hnm,bhmde->bhnde", far, sums)
    from_end = torch.exp(-rates * (position + 1))[:, None]  # (H, 1, C, 1)
    y = near[:, None] * (queries @ keys.transpose(-2, -1)) @ values + queries * from_end @ before
    y = y.flatten(2, 3)
    y = y[:, :, y.size(2) - tokens :]
    after = before[:, :, -1] * torch.exp(-rates * chunk) + sums[:, :, -1]
    if state is not None:
        age = torch.arange(1, tokens + 1, device=q.device)[:, None]
        y = y + q.to(y.dtype) * torch.exp(-rates * age) @ state
        after = after + torch.exp(-rates * tokens) * state
    return y.type_as(q), after


def pool_heads(
    x: Tensor, vector: Tensor, attention_mask: Tensor | None, dropout: float = 0.0
) -> Tensor:
    """Mean of x (B, H, T, E), weighted by a softmax of vector (H, E) . x, (B, H, 1, E)."""
    scores = x @ vector[..., None] * x.size(-1) ** -0.5  # (B, H, T, 1)
    if attention_mask is not None:
        padding = ~attention_mask.bool()[:, None, :, None]
        scores = scores.masked_fill(padding, torch.finfo(scores.dtype).min)
    weights = F.dropout(scores.softmax(-2), dropout)
    return (weights * x).sum(-2, keepdim=True)
