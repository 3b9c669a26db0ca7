"""The objective of a contrastive head: each image is to find its text, and each text its image
(CLIP; Radford et al. 2021, arXiv:2103.00020). The others of the micro-batch are the wrong ones.
"""

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
        return {"micro_batch": self.settings.micro_batch}

    def __call__(self, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the cross-entropies of images with texts and of texts with images, halved, and
        the number of images that find their text.

        inputs: arguments of the model
        labels: the number of each text in the batch, (B,)
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            scores = self.call(**{name: x.to(self.device) for name, x in inputs.items()})
        scores, labels = scores.float(), labels.to(self.device)  # (B, B), (B,)
        smoothing = self.settings.label_smoothing if self.model.training else 0.0
        rows, columns = (
            F.cross_entropy(x, labels, reduction="sum", label_smoothing=smoothing)
            for x in (scores, scores.T)
        )
        return (rows + columns) / 2, (scores.detach().argmax(-1) == labels).sum()
