"""The objective of distillation: the student learns from the labels and from a teacher.

logits       cross-entropy with the teacher's probabilities (Hinton et al. 2015, arXiv:1503.02531)
relations    similarities between the queries, the keys and the values of all tokens of a layer
             (MiniLMv2; Wang et al. 2020, arXiv:2012.15828); widths may differ
hidden       cosine distance of the outputs of layers (DistilBERT; Sanh et al. 2019,
             arXiv:1910.01108)
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import checkpoints
from .files import fail
from .settings import Settings
from .teacher import Model as Teacher

# SHA-256 of the teacher's spec; the settings distill and layer_pairs; parts of the loss.
SPEC = ""
DISTILL = ("logits", "")
PARTS = ("logits",)
# Modules of the student and of the teacher, in pairs; number of heads of the relations.
RELATIONS: tuple[tuple[str, str], ...] = ()
RELATION_HEADS = 1
HIDDEN: tuple[tuple[str, str], ...] = ()
CAUSAL = True


class Outputs:
    """The outputs of modules in the last call of a model."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        self.seen: dict[str, Tensor] = {}
        for name in names:
            model.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, output, name=name: self.seen.update({name: output})
            )


class Objective:
    """The loss of a batch: labels and teacher, weighted by the settings.

    model: the student
    call: what is called in its place, such as a copy of DDP
    """

    accuracy = True

    def __init__(
        self, model: nn.Module, call: nn.Module, device: torch.device, s: Settings
    ) -> None:
        self.model, self.call, self.device, self.settings = model, call, device, s
        if (s.distill, s.layer_pairs) != DISTILL:
            fail(f"distill.py was written for the settings {DISTILL}; write another run")
        if s.parallel == "tp" and RELATIONS:
            fail("--parallel tp has some heads on each device, and `relations` needs all; use fsdp")
        pairs = (*RELATIONS, *HIDDEN)
        self.student = Outputs(model, tuple(name for name, _ in pairs))
        self.teacher = Teacher()
        checkpoints.load_weights(self.teacher, checkpoints.Stored(Path(s.teacher_weights)))
        self.teacher.requires_grad_(False).to(device).eval()
        self.taught = Outputs(self.teacher, tuple(name for _, name in pairs))

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        s = self.settings
        weights = [s.temperature, s.logits_weight, s.relations_weight, s.hidden_weight]
        return {"teacher": [SPEC, *DISTILL, *weights]}

    def __call__(self, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the losses of all labels, and the number of correct predictions. In
        evaluation, the loss is the cross-entropy alone.

        inputs: arguments of both models
        labels: classes, any shape; -100 is ignored
        """
        s, inputs = self.settings, {name: x.to(self.device) for name, x in inputs.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bfloat16):
            logits = self.call(**inputs).float().flatten(0, -2)  # (N, V)
        labels = labels.to(self.device).flatten()
        smoothing = s.label_smoothing if self.model.training else 0.0
        loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
        right = (logits.detach().argmax(-1) == labels).sum()
        if not self.model.training:
            return loss, right
        with (
            torch.no_grad(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=s.bfloat16),
        ):
            taught = self.teacher(**inputs).float().flatten(0, -2)
        real = labels >= 0
        if "logits" in PARTS:
            share = s.logits_weight
            loss = (1 - share) * loss + share * softened(logits[real], taught[real], s.temperature)
        if "relations" in PARTS:
            loss = loss + s.relations_weight * real.sum() * self.relations(inputs)
        if "hidden" in PARTS:
            loss = loss + s.hidden_weight * real.sum() * self.hidden(inputs)
        return loss, right

    def relations(self, inputs: dict[str, Tensor]) -> Tensor:
        """Mean divergence of the relations, over tokens and heads; summed over modules."""
        total = torch.zeros((), device=self.device)
        for student, teacher in RELATIONS:
            ours, theirs = self.student.seen[student].float(), self.taught.seen[teacher].float()
            seen, real = visible(ours, inputs)
            total = total + divergence(relation(ours, seen), relation(theirs, seen), real)
        return total

    def hidden(self, inputs: dict[str, Tensor]) -> Tensor:
        """Mean cosine distance over tokens; mean over layers."""
        distances = []
        for student, teacher in HIDDEN:
            ours, theirs = self.student.seen[student].float(), self.taught.seen[teacher].float()
            _, real = visible(ours, inputs)
            distances.append((1 - F.cosine_similarity(ours, theirs, dim=-1))[real].mean())
        return torch.stack(distances).mean()


def softened(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Sum of the divergences from the teacher's probabilities at a temperature; logits (N, V).

    It is multiplied by the square of the temperature, so that gradients keep their size.
    """
    ours, theirs = ((x / temperature).log_softmax(-1) for x in (logits, taught))
    return F.kl_div(ours, theirs, log_target=True, reduction="sum") * temperature**2


def visible(x: Tensor, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Which key each query of x (B, T, D) may see, (B, T, T), and which tokens are real, (B, T)."""
    real = x.new_ones(x.shape[:2], dtype=torch.bool)
    mask = inputs.get("attention_mask")
    if mask is not None and mask.shape == real.shape:
        real = mask.bool()
    seen = real[:, None, :].expand(-1, x.size(1), -1)
    documents = inputs.get("document_ids")
    if documents is not None:
        seen = seen & (documents[:, :, None] == documents[:, None, :])
    return (seen.tril() if CAUSAL else seen), real


def relation(x: Tensor, seen: Tensor) -> Tensor:
    """Log-probabilities (B, heads, T, T): softmax of the scaled products of x (B, T, D) with
    itself.
    """
    heads = x.reshape(*x.shape[:2], RELATION_HEADS, -1).transpose(1, 2)  # (B, heads, T, E)
    scores = heads @ heads.transpose(-1, -2) / math.sqrt(heads.size(-1))
    return scores.masked_fill(~seen[:, None], -1e9).log_softmax(-1)


def divergence(ours: Tensor, theirs: Tensor, real: Tensor) -> Tensor:
    """Mean divergence of `ours` from `theirs`, (B, heads, T, T), over heads and real tokens."""
    rows = F.kl_div(ours, theirs, log_target=True, reduction="none").sum(-1).mean(1)  # (B, T)
    return rows[real].mean()
