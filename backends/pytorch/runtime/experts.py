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


def sum_to_one(weights: Tensor) -> Tensor:
    total: Tensor = weights.sum(-1, keepdim=True)
    return weights / (total + 1e-20)


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


class ExpertGroups:
    """The pairs of a token and an expert that it chose, those of one expert together.

    J pairs are rows: tokens (B, T) that chose A experts each make J = B * T * A of them. Eager
    code runs each expert once, on all of its rows. Compiled code wants shapes that do not depend
    on the choice: there, rows fill blocks of one size, and each block has one expert.
    """

    def __init__(self, chosen: Tensor, experts: int) -> None:
        self.chosen = chosen
        self.expert, self.order = chosen.flatten().sort(stable=True)
        number = torch.arange(experts, device=chosen.device)
        counts = (self.expert[:, None] == number).sum(0)
        if torch.compiler.is_compiling():
            self.fill_blocks(counts)
        else:
            self.sizes: list[int] = counts.tolist()

    def fill_blocks(self, counts: Tensor) -> None:
        """Blocks of about the mean number of rows: at most one of each expert is not full."""
        rows, experts = self.expert.size(0), counts.size(0)
        self.block = max(1, rows // experts)
        self.blocks = min(rows, rows // self.block + experts)
        needed = (counts + self.block - 1) // self.block
        ends = needed.cumsum(0)
        shift = (ends - needed) * self.block - (counts.cumsum(0) - counts)
        self.places = torch.arange(rows, device=counts.device) + shift[self.expert]
        block = torch.arange(self.blocks, device=counts.device)
        self.block_expert = torch.searchsorted(ends, block, right=True).clamp(max=experts - 1)

    def rows(self, x: Tensor) -> Tensor:
        """The token of each pair: (B, T, D) to (J, D)."""
        return x.flatten(0, 1)[self.order // self.chosen.size(-1)]

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Each row times its expert's matrix: x (J, in), weight (experts, out, in), to (J, out)."""
        if torch.compiler.is_compiling():
            padded = x.new_zeros(self.blocks * self.block, x.size(-1))
            padded = padded.index_copy(0, self.places, x).view(self.blocks, self.block, -1)
            y = padded @ weight[self.block_expert].transpose(1, 2)
            return y.flatten(0, 1)[self.places]
        parts = zip(torch.split(x, self.sizes), weight.unbind(), strict=True)
        return torch.cat([F.linear(rows, matrix) for rows, matrix in parts if rows.size(0)])

    def combine(self, y: Tensor, weights: Tensor) -> Tensor:
        """What a token's experts say, weighted: y (J, D), weights (B, T, A), to (B, T, D)."""
        said = y[self.order.argsort()].view(*self.chosen.shape, -1)
        return (said * weights[..., None]).sum(-2).type_as(y)


def weighed_rows(groups: ExpertGroups, rows: Tensor, weights: Tensor) -> Tensor:
    """The token of each pair times its expert's weight: rows (J, D), weights (B, T, A), to (J, D).

    What an expert reads is weighed here, and not what it says.
    """
    return (rows * weights.flatten()[groups.order, None]).type_as(rows)


def sum_of_pairs(groups: ExpertGroups, y: Tensor) -> Tensor:
    """What a token's experts say together: y (J, D), to (B, T, D)."""
    return y[groups.order.argsort()].view(*groups.chosen.shape, -1).sum(-2)
