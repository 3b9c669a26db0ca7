"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from .files import fail
from .parallel import mesh_of
from .settings import Settings


def make_optimizers(
    model: nn.Module, layers: Iterable[nn.Module], s: Settings
) -> list[torch.optim.Optimizer]:
    """AdamW, without weight decay of vectors; with `muon`, Muon for the matrices inside layers."""
    if s.optimizer == "muon" and not hasattr(torch.optim, "Muon"):
        fail(f"Muon needs torch 2.9 or later; this is {torch.__version__}")
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
    if muon:  # Jordan et al. 2024; scaled to AdamW's rate, Liu et al. 2025, arXiv:2502.16982
        ordered = [w for w in model.parameters() if w in muon and w.requires_grad]
        scale = "match_rms_adamw"
        made.append(torch.optim.Muon(ordered, s.lr, s.weight_decay, adjust_lr_fn=scale))
    return made


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
