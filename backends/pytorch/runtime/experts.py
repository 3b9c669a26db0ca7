"""Mixtures of experts: routing, and linear layers with one matrix per expert."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Router(nn.Linear):
    """A linear layer computed in float32 or wider, so that rounding does not change the routing."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype))


class BiasedRouter(nn.Linear):
    """A linear layer computed in float32 or wider, so that rounding does not change the routing."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype), self.bias.to(dtype))


def best_groups(scores: Tensor, groups: int, kept: int, members: int = 2) -> Tensor:
    """Scores, -inf outside the `kept` best groups (DeepSeek-AI 2024, arXiv:2412.19437)."""
    grouped = torch.unflatten(scores, -1, (groups, -1))
    best = grouped.topk(members).values.sum(-1).topk(kept).indices  # by their `members` best scores
    out = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter(-1, best, False)
    return grouped.masked_fill(out[..., None], -torch.inf).flatten(-2)


def sparse_mixer(logits: Tensor, top_k: int, jitter: float) -> tuple[Tensor, Tensor]:
    """Weights and indices of `top_k` experts (SparseMixer, Liu et al. 2024, arXiv:2409.12136).

    Experts are chosen one at a time, the best of those that remain. Its weight is a softmax over
    the remaining experts whose logit is close: (best - logit) / max(|logit|, best) <= 2 * jitter.
    """
    left, weights, chosen = logits, [], []
    for _ in range(top_k):
        best, expert = left.max(-1, keepdim=True)
        size = torch.maximum(logits.abs(), best)
        far = (best - left) / size > 2 * jitter
        weights.append(left.masked_fill(far, -torch.inf).softmax(-1).gather(-1, expert))
        chosen.append(expert)
        left = left.scatter(-1, expert, -torch.inf)
    return torch.cat(weights, -1), torch.cat(chosen, -1)


def within_capacity(weights: Tensor, chosen: Tensor, experts: int, capacity: int) -> Tensor:
    """Routing weights (B, T, A) with 0 where an expert already has `capacity` tokens.

    Experts take the tokens of a sequence in order; each sequence is counted separately (Switch
    Transformers, Fedus et al. 2021, arXiv:2101.03961).
    """
    in_turn = chosen.flatten(1)  # ordered by token, then by choice
    counts = F.one_hot(in_turn, experts).cumsum(1)
    rank = counts.gather(-1, in_turn[..., None]).view_as(chosen)  # from 1, (B, T, A)
    return weights * (rank <= capacity)


def balance_loss(shares: Tensor, chosen: Tensor, attention_mask: Tensor | None) -> Tensor:
    """X * sum(f * p) over experts (Switch Transformers, Fedus et al. 2021, arXiv:2101.03961).

    f is the mean number of choices of an expert per token, p the mean of its share (B, T, X).
    """
    counts = F.one_hot(chosen, shares.size(-1)).sum(-2).to(shares.dtype)  # (B, T, X)
    load = mean_of_tokens(counts, attention_mask)  # (X,)
    return shares.size(-1) * (load * mean_of_tokens(shares, attention_mask)).sum()


def z_loss(logits: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Mean squared log-sum-exp of router logits (ST-MoE, Zoph et al. 2022, arXiv:2202.08906)."""
    return mean_of_tokens(logits.logsumexp(-1, keepdim=True).square(), attention_mask).sum()


def mean_of_tokens(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean over all tokens that are not padding: (B, T, X) -> (X,)."""
    if attention_mask is None:
        return x.flatten(0, -2).mean(0)
    real = attention_mask[:, -x.size(1) :, None].bool().to(x.dtype)  # (B, T, 1)
    return (x * real).sum((0, 1)) / real.sum().clamp(min=1)


def expert_linear(x: Tensor, weight: Tensor, expert: Tensor) -> Tensor:
    """Multiply each row by the matrix of its expert: x (J, in), weight (X, out, in) -> (J, out).

    `expert` (J,) is the expert of each row, in ascending order. Compiled code must not have shapes
    that depend on the routing; it copies the rows into blocks of equal size, each for one expert.
    """
    rows, experts = x.size(0), weight.size(0)
    if not torch.compiler.is_compiling():
        runs = zip(torch.split(x, expert.bincount(minlength=experts).tolist()), weight, strict=True)
        return torch.cat([F.linear(part, w) for part, w in runs if len(part) or not rows])
    size = rows // experts + 2  # rows of a block, at least 2; at most 2 X blocks
    counts = F.one_hot(expert, experts).sum(0)  # rows per expert
    rank = torch.arange(rows, device=x.device) - (counts.cumsum(0) - counts)[expert]
    row = rank - rank // size * size  # rank % size, which ONNX export does not support
    index = (row == 0).cumsum(0) - 1, row  # block, and row in the block
    owner = expert.new_zeros(min(rows, 2 * experts)).index_put(index[:1], expert)  # by block
    padded = x.new_zeros(owner.size(0), size, x.size(-1)).index_put(index, x)
    return (padded @ weight[owner].mT)[index]


def grouped_expert_linear(x: Tensor, weight: Tensor, expert: Tensor) -> Tensor:
    """Multiply each row by the matrix of its expert: x (J, in), weight (X, out, in) -> (J, out).

    `expert` (J,) is the index of the expert of each row, in ascending order. `grouped_mm` supports
    float32, bfloat16 and float16, and rows whose size is a multiple of 16 bytes.
    """
    if torch.is_autocast_enabled(x.device.type):  # autocast does not cast grouped_mm
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
    number = torch.arange(weight.size(0), device=x.device)
    ends = torch.searchsorted(expert, number, right=True, out_int32=True)
    return F.grouped_mm(x, weight.mT, offs=ends)
