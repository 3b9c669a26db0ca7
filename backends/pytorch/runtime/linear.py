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


def causal_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention (B, H, T, E), and the new state (B, H, E, E).

    Pairs are computed within chunks; what precedes a chunk is one sum of keys times values, and
    `state` what precedes the first (Katharopoulos et al. 2020, arXiv:2006.16236).
    """
    if torch.compiler.is_compiling():  # one graph for any length
        return compiled_linear_attention(q, k, v, state)
    dtype, found = torch.promote_types(q.dtype, torch.float32), []
    if state is None:
        state = q.new_zeros(*q.shape[:2], q.size(3), v.size(3), dtype=dtype)
    parts = [torch.split(x, 96, dim=2) for x in (q, k, v)]
    for part in zip(*parts, strict=True):
        qs, ks, vs = [x.to(dtype).contiguous() for x in part]
        y = (qs @ ks.mT).tril() @ vs + qs @ state
        found.append(y.type_as(q))
        state = state + ks.mT @ vs
    return torch.cat(found, dim=2), state


def compiled_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention for all chunks at once, without a loop over the sequence."""
    (queries, keys, values), index = in_chunks(state, q, k, v)
    sums = keys.mT @ values  # of each chunk, (B, H, N, E, E)
    before = F.pad(sums, (0, 0, 0, 0, 1, 0))[:, :, :-1].cumsum(2)  # sums of the previous chunks
    before = before if state is None else before + state[:, :, None]
    y = (queries @ keys.mT).tril() @ values + queries @ before
    return y.flatten(2, 3)[:, :, index].type_as(q), before[:, :, -1] + sums[:, :, -1]


def in_chunks(state: Tensor | None, *given: Tensor) -> tuple[list[Tensor], Tensor]:
    """Split (B, H, T, E) into N chunks of C tokens, (B, H, N, C, E), in float32 or wider, and the
    index of each token in them, (T,).

    Zeros are prepended, at least one chunk of them: N is never 1, for which `torch.export` would
    specialise. Tokens are gathered, because it can derive neither the width of a padding nor the
    start of a slice from a length with an explicit `Dim`.
    """
    tokens, device = given[0].size(2), given[0].device
    chunk = 1 if state is not None and tokens == 1 else 96
    count = (tokens + 2 * chunk - 1) // chunk
    dtype = torch.promote_types(given[0].dtype, torch.float32)
    zeros = count * chunk - tokens
    source = torch.arange(count, device=device)[:, None] * chunk + 1 - zeros
    source = source + torch.arange(chunk, device=device)  # 1 + token, or 0 and less, (N, C)
    filled = [F.pad(x.to(dtype), (0, 0, 1, 0))[:, :, source.clamp(min=0)] for x in given]
    return filled, torch.arange(tokens, device=device) + zeros


def lightning_rates(heads: int, layer: int, layers: int, like: Tensor) -> Tensor:
    """Decay rates (H,) of Lightning attention: smaller in later heads and layers."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, device=like.device, dtype=dtype) / heads)
    return slopes * (1 - layer / (layers - 1 + 1e-5) + 1e-5)


def fading_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, rates: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention where a key at distance d is weighted by exp(-rate * d)."""
    if torch.compiler.is_compiling():  # one graph for any length
        return compiled_fading_attention(q, k, v, rates, state)
    dtype, found = torch.promote_types(q.dtype, torch.float32), []
    if state is None:
        state = q.new_zeros(*q.shape[:2], q.size(3), v.size(3), dtype=dtype)
    rates = rates[:, None, None]  # (H, 1, 1)
    position = torch.arange(min(96, q.size(2)), device=q.device)[:, None]  # (C, 1)
    near = torch.exp(-rates * (position - position.T).clamp(min=0)).tril()  # (H, C, C)
    fade = torch.exp(-rates * (position + 1))  # (H, C, 1)
    parts = [torch.split(x, 96, dim=2) for x in (q, k, v)]
    for part in zip(*parts, strict=True):
        qs, ks, vs = [x.to(dtype).contiguous() for x in part]
        n = qs.size(2)
        y = near[:, :n, :n] * (qs @ ks.mT) @ vs + fade[:, :n] * (qs @ state)
        found.append(y.type_as(q))
        left = torch.exp(-rates * (n - 1 - position[:n]))  # of each key at the end of the chunk
        state = torch.exp(-rates * n) * state + (ks * left).mT @ vs
    return torch.cat(found, dim=2), state


def compiled_fading_attention(
    q: Tensor, k: Tensor, v: Tensor, rates: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Causal linear attention with decay, for all chunks at once, without a loop over the sequence.

    The terms are within a chunk, between chunks, and from `state`, the sum over previous steps.
    """
    (queries, keys, values), index = in_chunks(state, q, k, v)
    tokens, chunk = q.size(2), queries.size(3)
    position = torch.arange(chunk, device=q.device)[:, None]
    rates = rates[:, None, None]
    near = torch.exp(-rates * (position - position.T).clamp(min=0)).tril()  # of pairs, (H, C, C)
    to_end = torch.exp(-rates * (chunk - 1 - position))[:, None]  # of tokens, (H, 1, C, 1)
    sums = (keys * to_end).mT @ values  # at the end of each chunk, (B, H, N, E, Ev)
    number = torch.arange(queries.size(2), device=q.device)[:, None]
    gap = (number - 1 - number.T).clamp(min=0)
    far = torch.exp(-rates * chunk * gap).tril(-1)  # of pairs of chunks, (H, N, N)
    before = torch.einsum("hnm,bhmde->bhnde", far, sums)
    from_end = torch.exp(-rates * (position + 1))[:, None]  # of tokens, (H, 1, C, 1)
    y = near[:, None] * (queries @ keys.mT) @ values + queries * from_end @ before
    y = y.flatten(2, 3)[:, :, index]
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
