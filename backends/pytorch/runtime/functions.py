"""Small functions that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def quick_gelu(x: Tensor) -> Tensor:
    """GELU approximated by a sigmoid (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""
    return x * torch.sigmoid(1.702 * x)


def swish(x: Tensor, beta: float) -> Tensor:
    """x * sigmoid(beta * x); SiLU if beta is 1 (Ramachandran et al. 2017, arXiv:1710.05941)."""
    return x * torch.sigmoid(beta * x)


def softcap(x: Tensor, cap: float) -> Tensor:
    """Bound x smoothly to [-cap, cap] (Bello et al. 2016, arXiv:1611.09940)."""
    return cap * torch.tanh(x / cap)


def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    """Stochastic depth: in training, drop the branch of a sequence with probability `rate`.

    Huang et al. 2016, arXiv:1603.09382.
    """
    if not training:
        return x
    kept = x.new_empty(x.size(0), *[1] * (x.dim() - 1)).bernoulli_(1 - rate)
    return x * kept / (1 - rate)


def padding_mask(attention_mask: Tensor | None) -> Tensor | None:
    """True at real tokens, (B, 1, 1, T). None without `attention_mask`."""
    return None if attention_mask is None else attention_mask.bool()[:, None, None, :]


def first_places(attention_mask: Tensor | None, device: torch.device) -> Tensor:
    """Index of the first real token of each row, (B, 1, 1, 1)."""
    if attention_mask is None:
        return torch.zeros(1, 1, 1, 1, dtype=torch.long, device=device)
    return attention_mask.long().argmax(-1)[:, None, None, None]  # (B, 1, 1, 1)


def masks_of_heads(heads: int, *masks: Tensor) -> Tensor:
    """Concatenate masks along the head axis; each applies to an equal share of the heads."""
    none = masks[0].new_zeros(1, 1, 1, 1)
    for mask in masks:
        none = none & mask  # broadcast to the shape of all masks: (B or 1, 1, T, S)
    run = heads // len(masks)
    return torch.cat([(mask | none).expand(-1, run, -1, -1) for mask in masks], dim=1)


def given_rows(global_mask: Tensor | None, device: torch.device) -> Tensor:
    """True at global tokens; without `global_mask` there are none."""
    if global_mask is None:
        return torch.zeros(1, 1, 1, 1, dtype=torch.bool, device=device)
    return global_mask.bool()[:, None, :, None]  # (B, 1, T, 1)


def rows_between(first: int, stop: int, end: int, device: torch.device) -> Tensor:
    """True at tokens with `first` <= index < `stop`, (1, 1, T, 1)."""
    position = torch.arange(end, device=device)[None, None, :, None]
    return (position >= first) & (position < stop)  # (1, 1, T, 1)


def capped_scores(q: Tensor, k: Tensor, scale: float, cap: float) -> Tensor:
    """Scaled dot-product scores, bounded smoothly to [-cap, cap], (B, H, T, S)."""
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)
    return cap * torch.tanh(q @ k.transpose(-2, -1) * scale / cap)  # (B, H, T, S)


def weighted_values(scores: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Softmax of the scores times the values; zeros for queries without allowed keys."""
    v = v.repeat_interleave(scores.size(1) // v.size(1), dim=1)
    unseen = scores == -torch.inf
    scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    weights = scores.softmax(-1).masked_fill(unseen, 0.0)
    return F.dropout(weights, dropout) @ v


def as_bias(mask: Tensor | None, q: Tensor, k: Tensor) -> Tensor:
    """The mask as an additive bias: 0 where it is True, else -inf, (B, H, T, S)."""
    bias = q.new_zeros(k.size(2)) if mask is None else q.new_zeros(mask.shape)
    if mask is not None:
        bias = bias.masked_fill(~mask, -torch.inf)
    return bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))


def with_sinks(k: Tensor, v: Tensor, bias: Tensor, sinks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Append a zero key and value; its score is the attention sink of each head.

    The sink takes part in the softmax, so the other weights sum to less than 1 (Xiao et al. 2023,
    arXiv:2309.17453). Keys and values shared by several heads are repeated.
    """
    k, v = (x.repeat_interleave(sinks.size(0) // x.size(1), dim=1) for x in (k, v))
    column = sinks[:, None, None].type_as(bias).expand(*bias.shape[:-1], 1)  # (B, H, T, 1)
    return F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1)), torch.cat([bias, column], dim=-1)


def attention_with_sinks(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    sinks: Tensor,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention with one more zero key, whose score is the attention sink of each head."""
    bias = bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))
    k, v, bias = with_sinks(k, v, bias, sinks)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout, scale=scale)


def explicit_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    scale: float,
    cap: float,
    dropout: float = 0.0,
) -> Tensor:
    """Attention with scores bounded to [-cap, cap] before mask and softmax."""
    scores = capped_scores(q, k, scale, cap)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return weighted_values(scores, v, dropout)


def biased_explicit_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float, cap: float, dropout: float = 0.0
) -> Tensor:
    """Attention with scores bounded to [-cap, cap] before bias and softmax."""
    return weighted_values(capped_scores(q, k, scale, cap) + bias, v, dropout)


def distance_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, dropout: float = 0.0
) -> Tensor:
    """Attention with scaled negative squared distances of queries and keys as scores."""
    bias = q.new_zeros(1)
    if mask is not None:
        bias = bias.where(mask, -torch.inf)
    return biased_distance_attention(q, k, v, bias, scale, dropout)


def biased_distance_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float, dropout: float = 0.0
) -> Tensor:
    """Attention with scaled negative squared distances of queries and keys, plus a bias.

    -|q - k|^2 = 2 q k - |k|^2 - |q|^2; softmax is invariant to |q|^2, which is the same for all
    keys.
    """
    groups = q.size(1) // k.size(1)
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    bias = bias - scale * k.square().sum(-1)[:, :, None]  # (B, H, T, S) or (B, H, 1, S)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, dropout_p=dropout, scale=2 * scale
    )


def added_scores(q: Tensor, k: Tensor, vector: Tensor) -> Tensor:
    """Additive scores: vector . tanh(q + k), (B, H, T, S) (Bahdanau et al. 2014,
    arXiv:1409.0473).
    """
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)
    sums = torch.tanh(q[:, :, :, None] + k[:, :, None])  # (B, H, T, S, E)
    return (sums @ vector[:, None, :, None]).squeeze(-1)  # (B, H, T, S)


def additive_attention(
    q: Tensor, k: Tensor, v: Tensor, vector: Tensor, mask: Tensor | None, dropout: float = 0.0
) -> Tensor:
    """Attention with additive scores."""
    scores = added_scores(q, k, vector)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return weighted_values(scores, v, dropout)


def biased_additive_attention(
    q: Tensor, k: Tensor, v: Tensor, vector: Tensor, bias: Tensor, dropout: float = 0.0
) -> Tensor:
    """Attention with additive scores and a bias."""
    return weighted_values(added_scores(q, k, vector) + bias, v, dropout)


def last_token(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The vector of each sequence's last real token (B, D); zeros if there is only padding."""
    if attention_mask is None:
        return x[:, -1]
    real = attention_mask.bool()
    position = torch.arange(1, x.size(1) + 1, device=x.device) * real  # from 1; 0 at padding
    found = x[torch.arange(x.size(0), device=x.device), position.argmax(-1)]  # (B, D)
    return found.masked_fill(~real.any(-1, keepdim=True), 0.0)


def mean_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean over each sequence's real tokens (B, D); zeros if there is only padding."""
    if attention_mask is None:
        return x.mean(1)
    real = attention_mask[..., None].type_as(x)  # (B, T, 1)
    return (x * real).sum(1) / real.sum(1).clamp(min=1)  # (B, D)


def max_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The elementwise maximum over each sequence's real tokens (B, D); zeros if there are none."""
    if attention_mask is None:
        return x.amax(1)
    real = attention_mask.bool()[..., None]  # (B, T, 1)
    return x.masked_fill(~real, -torch.inf).amax(1).masked_fill(~real.any(1), 0.0)  # (B, D)


def attention_pool(x: Tensor, scores: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean of the tokens, weighted by a softmax of their scores (B, T, 1), without padding."""
    if attention_mask is None:
        return (scores.softmax(1) * x).sum(1)
    padding = ~attention_mask.bool()[..., None]
    scores = scores.masked_fill(padding, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    return (scores.softmax(1).masked_fill(padding, 0.0) * x).sum(1)  # (B, D)


def token_pool(x: Tensor, input_ids: Tensor, token_id: int) -> Tensor:
    """The vector at the first occurrence of `token_id` in each sequence, (B, D)."""
    position = (input_ids == token_id).int().argmax(-1)
    return x[torch.arange(x.size(0), device=x.device), position]  # (B, D)


def random_blocks(q: Tensor, k: Tensor, size: int, count: int, seed: int) -> Tensor:
    """True in `count` pseudo-random key blocks for each query block.

    A query block attends to the key blocks with the smallest hash values; BigBird draws them
    (Zaheer et al. 2020, arXiv:2007.14062).
    """
    rows, columns = q // size, torch.arange((k.size(0) - 1) // size + 1, device=k.device)
    hashed = ((rows * 92837111) ^ (columns * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
    for _ in range(2):
        hashed = hashed * 48271 % 2147483647
    chosen = hashed.argsort(dim=-1, stable=True)[:, :count]  # (T, count)
    taken = torch.zeros_like(hashed, dtype=torch.bool).scatter(-1, chosen, True)
    return taken[:, k // size]  # (T, S)
