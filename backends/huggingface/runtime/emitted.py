"""What an emitted file has, as far as the classes around it need it. It is not copied."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Config:
    """The sizes of an emitted model."""

    def __init__(self, **sizes: Any) -> None:
        raise NotImplementedError


class Emitted(nn.Module):
    """An emitted model. Which of these methods it has depends on its stacks and heads."""

    _tp_plan: dict[str, str]
    layers: nn.ModuleList
    its_encoder: nn.Module
    its_decoder: nn.Module

    def __init__(self, config: Config) -> None:
        raise NotImplementedError

    def hidden_states(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        raise NotImplementedError
