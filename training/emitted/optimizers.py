"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .parallel import mesh_of, part_of, whole
from .settings import Settings

# Of Muon: decay rate of the mean gradient; number of Newton-Schulz steps, and the polynomial
# a x + b x^3 + c x^5 that each applies to the singular values.
MOMENTUM, STEPS, POLYNOMIAL = 0.95, 5, (3.4445, -4.7750, 2.0315)


def make_optimizers(
    model: nn.Module, layers: Iterable[nn.Module], s: Settings
) -> list[torch.optim.Optimizer]:
    """AdamW, without weight decay of vectors; with `muon`, Muon for the matrices inside layers."""
    matrices = {w for layer in layers for w in layer.parameters() if w.ndim == 2}
    muon = matrices if s.optimizer == "muon" else set()
    rest = [w for w in model.parameters() if w.requires_grad and w not in muon]
    kinds = {(w.ndim >= 2, mesh_of(w)): None for w in rest}  # in the order of the weights
    groups = [  # fused operations take tensors of one mesh only
        {
            "params": [w for w in rest if (w.ndim >= 2, mesh_of(w)) == (decays, mesh)],
            "weight_decay": s.weight_decay if decays else 0.0,
        }
        for decays, mesh in kinds
    ]
    betas, fused = (s.beta1, s.beta2), next(model.parameters()).is_cuda
    made: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, s.lr, betas, s.epsilon, fused=fused)
    ]
    if muon:
        ordered = [w for w in model.parameters() if w in muon and w.requires_grad]
        dtype = torch.bfloat16 if s.bfloat16 else torch.float32
        defaults = {"lr": s.lr, "weight_decay": s.weight_decay, "dtype": dtype}
        made.append(Muon(ordered, defaults))
    return made


class Muon(torch.optim.Optimizer):
    """Orthogonalized mean gradients of matrices (Jordan et al. 2024), scaled so that they are as
    large as those of AdamW (Liu et al. 2025, arXiv:2502.16982).

    If a matrix is divided, each device computes the whole update and applies its part: sums over
    parts, rounded to bfloat16, would make the result depend on the number of devices.
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight.grad)
                mean = state["momentum_buffer"].lerp_(weight.grad, 1 - MOMENTUM)
                update = whole(weight.grad.lerp(mean, MOMENTUM).to(group["dtype"]))  # Nesterov
                weight.mul_(1 - rate * decay)
                size = 0.2 * math.sqrt(max(weight.shape))
                weight.add_(part_of(orthogonal(update), weight), alpha=-rate * size)


def orthogonal(x: Tensor) -> Tensor:
    """A matrix with the singular vectors of x and singular values of about 1, by Newton-Schulz
    steps.
    """
    a, b, c = POLYNOMIAL
    y = x if x.size(0) <= x.size(1) else x.T
    y = y / y.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = y @ y.T
        y = torch.addmm(y, torch.addmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return y if x.size(0) <= x.size(1) else y.T


def learning_rate(step: int, s: Settings) -> float:
    """The learning rate of a step, counted from 0: a linear warm-up, then the schedule."""
    if step < s.warmup:
        return s.lr * (step + 1) / s.warmup
    done = (step - s.warmup) / max(1, s.steps - s.warmup)
    shares = {
        "constant": 1.0,
        "cosine": s.final_lr + (1 - s.final_lr) * (1 + math.cos(math.pi * done)) / 2,
        "wsd": min(1.0, 5 * (1 - done)),
        "inverse_sqrt": math.sqrt(max(1, s.warmup) / (step + 1)),  # Vaswani et al. 2017, 5.3
    }
    return s.lr * shares[s.schedule]
