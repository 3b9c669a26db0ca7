"""Mixtures of experts: who serves which token, and linear layers with a matrix for each expert."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Router(nn.Linear):
    """A linear layer computed in float32 or wider: rounding must not decide between experts."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype))


class BiasedRouter(nn.Linear):
    """A linear layer computed in float32 or wider: rounding must not decide between experts."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype), self.bias.to(dtype))


def best_groups(scores: Tensor, groups: int, kept: int, members: int) -> Tensor:
    """The scores, -inf outside the `kept` groups whose `members` best experts sum to the most."""
    grouped = scores.view(*scores.shape[:-1], groups, -1)
    best = grouped.topk(members).values.sum(-1).topk(kept).indices
    out = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter(-1, best, False)
    return grouped.masked_fill(out[..., None], -math.inf).flatten(-2)


def sparse_mixer(logits: Tensor, top_k: int, jitter: float) -> tuple[Tensor, Tensor]:
    """Weights and numbers of `top_k` experts, found one by one.

    Each weight is the softmax over those experts, of the ones not taken yet, whose logit is at
    most 2 * jitter below the best of them, relative to the larger magnitude.
    """
    left, weights, chosen = logits, [], []
    for _ in range(top_k):
        best, expert = left.max(-1, keepdim=True)
        size = torch.maximum(logits.abs(), best)
        far = (best - left) / size > 2 * jitter
        weights.append(left.masked_fill(far, -math.inf).softmax(-1).gather(-1, expert))
        chosen.append(expert)
        left = left.scatter(-1, expert, -math.inf)
    return torch.cat(weights, -1), torch.cat(chosen, -1)


def within_capacity(weights: Tensor, chosen: Tensor, experts: int, capacity: int) -> Tensor:
    """The weights (B, T, A), 0 for what comes behind the first `capacity` that chose an expert.

    Each sequence counts by itself.
    """
    in_turn = chosen.flatten(1)  # token by token, choice by choice
    counts = F.one_hot(in_turn, experts).cumsum(1)
    place = counts.gather(-1, in_turn[..., None]).view_as(chosen)  # (B, T, A)
    return weights * (place <= capacity)


def expert_linear(x: Tensor, weight: Tensor, expert: Tensor) -> Tensor:
    """Multiply each row by the matrix of its expert: x (J, in), weight (X, out, in), to (J, out).

    `expert` (J,) is the expert of each row, in ascending order. Shapes of compiled code cannot
    depend on how many rows an expert has: there, rows fill blocks of one size, each of one expert.
    """
    rows, experts = x.size(0), weight.size(0)
    if not torch.compiler.is_compiling():
        sizes = expert.bincount(minlength=experts).tolist()
        groups = zip(torch.split(x, sizes), weight, strict=True)
        return torch.cat([F.linear(part, w) for part, w in groups if len(part) or not rows])
    size = rows // experts + 2  # of a block: fewer than X are full, at most X are not; never 1
    counts = F.one_hot(expert, experts).sum(0)  # rows of each expert
    rank = torch.arange(rows, device=x.device) - (counts.cumsum(0) - counts)[expert]
    row = rank - rank // size * size  # rank % size, which the exporter to ONNX refuses
    place = (row == 0).cumsum(0) - 1, row  # the block, and the row in it
    owner = expert.new_zeros(min(rows, 2 * experts)).index_put(place[:1], expert)  # of each block
    padded = x.new_zeros(owner.size(0), size, x.size(-1)).index_put(place, x)
    return (padded @ weight[owner].mT)[place]


def grouped_expert_linear(x: Tensor, weight: Tensor, expert: Tensor) -> Tensor:
    """Multiply each row by the matrix of its expert: x (J, in), weight (X, out, in), to (J, out).

    `expert` (J,) is the expert of each row, in ascending order. In float32, bfloat16 or float16;
    a row of each must be a multiple of 16 bytes.
    """
    if torch.is_autocast_enabled(x.device.type):  # which leaves `grouped_mm` alone
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
    number = torch.arange(weight.size(0), device=x.device)
    ends = torch.searchsorted(expert, number, right=True, out_int32=True)
    return F.grouped_mm(x, weight.mT, offs=ends)
