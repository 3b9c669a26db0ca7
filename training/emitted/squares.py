"""The objective of a head that returns images: the squared error of each pixel and channel."""

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

    accuracy = False

    def __init__(
        self, model: nn.Module, call: nn.Module, device: torch.device, s: Settings
    ) -> None:
        self.model, self.call, self.device, self.settings = model, call, device, s

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {}

    def __call__(self, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the squared errors, and 0, since no prediction is right or wrong.

        inputs: arguments of the model
        labels: what the model is to return
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            images = self.call(**{name: x.to(self.device) for name, x in inputs.items()})
        loss = F.mse_loss(images.float(), labels.to(self.device), reduction="sum")
        return loss, torch.zeros((), device=self.device)
