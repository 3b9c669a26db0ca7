"""Samples of a task in this process, from the modules of `emitted/`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .tasks import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..compiler import ModuleGraph


def check_length(graph: ModuleGraph, length: int) -> None:
    """Raise TrainingError for a sequence length that a model's positions do not reach."""
    if length < 1:
        raise TrainingError(f"length must be at least 1, not {length}")
    for limit in map(int, graph.limits.values()):
        if length > limit:
            raise TrainingError(f"length ({length}) is larger than max_positions ({limit})")


def samples_of(task: Task, data: Path, split: str, length: int, seed: int = 0) -> Any:
    """The `Samples` of a task, with the constants of its model.

    Raises TrainingError for data that are damaged or of another kind, as a run does.
    """
    found = importlib.util.find_spec(f".emitted.{task.module}", __package__)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)  # a copy: its constants are of this model
    found.loader.exec_module(module)
    vars(module).update(task.slots)
    return module.Samples(data, split, length, seed)


def loss_of(model: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """The mean cross-entropy of a batch, or squared error of images; labels of -100 are ignored."""
    from torch.nn import functional as F

    if labels.is_floating_point():
        return F.mse_loss(model(**inputs).float(), labels)
    logits = model(**inputs).float().flatten(0, -2)
    return F.cross_entropy(logits, labels.flatten())
