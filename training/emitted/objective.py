"""The objective: cross-entropy with the labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .settings import Settings


class Objective:
    """The loss of a batch.

    model: the model
    call: what is called in its place, such as a copy of DDP
    """

    accuracy = True

    def __init__(
        self, model: nn.Module, call: nn.Module, device: torch.device, s: Settings
    ) -> None:
        self.model, self.call, self.device, self.settings = model, call, device, s

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {}

    def __call__(self, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the cross-entropies, and the number of correct predictions.

        inputs: arguments of the model
        labels: classes, any shape; -100 is ignored
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            logits = self.call(**{name: x.to(self.device) for name, x in inputs.items()})
        if labels.dim() > 1:  # vectors before the tokens have no labels
            logits = logits[:, -labels.size(1) :]
        logits, labels = logits.float().flatten(0, -2), labels.to(self.device).flatten()
        smoothing = self.settings.label_smoothing if self.model.training else 0.0
        loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
        return loss, (logits.detach().argmax(-1) == labels).sum()
