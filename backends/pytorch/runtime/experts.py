"""Mixtures of experts: who serves which token, and linear layers with a matrix for each expert."""

from __future__ import annotations

import math
from typing import Any

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


class ExpertLinear(torch.autograd.Function):
    """Rows times their expert's matrix: x (J, in), weight (X, out, in), to (J, out).

    The first `sizes[0]` rows are the first expert's, and so on. Of a loop over the experts autograd
    makes a gradient for each matrix and then copies all of them into one tensor: here each is
    written where it belongs.
    """

    apply: Any  # torch leaves it untyped

    @staticmethod
    def forward(x: Tensor, weight: Tensor, sizes: list[int]) -> Tensor:
        y = x.new_empty(x.size(0), weight.size(1))
        matrices = weight.transpose(1, 2)  # (X, in, out)
        parts = zip(torch.split(x, sizes), matrices, torch.split(y, sizes), strict=True)
        for rows, matrix, product in parts:
            if rows.size(0):
                torch.mm(rows, matrix, out=product)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, list[int]], output: Tensor) -> None:
        x, weight, ctx.sizes = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, _ = ctx.needs_input_grad
        of_x = ExpertLinear.apply(grad, weight.transpose(1, 2), ctx.sizes) if wants_x else None
        return of_x, ExpertProducts.apply(grad, x, ctx.sizes) if wants_weight else None, None


class ExpertProducts(torch.autograd.Function):
    """The matrix product of each expert's rows, y (J, out) and x (J, in), to (X, out, in)."""

    apply: Any

    @staticmethod
    def forward(y: Tensor, x: Tensor, sizes: list[int]) -> Tensor:
        products = y.new_empty(len(sizes), y.size(1), x.size(1))
        parts = zip(torch.split(y.T, sizes, dim=1), torch.split(x, sizes), products, strict=True)
        for left, right, product in parts:
            torch.mm(left, right, out=product)
        return products

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, list[int]], output: Tensor) -> None:
        y, x, ctx.sizes = inputs
        ctx.save_for_backward(y, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        y, x = ctx.saved_tensors
        of_y = ExpertLinear.apply(x, grad, ctx.sizes)
        return of_y, ExpertLinear.apply(y, grad.transpose(1, 2), ctx.sizes), None


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
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight = x.to(dtype), weight.to(dtype)
        product: Tensor = ExpertLinear.apply(x, weight, self.sizes)
        return product

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
