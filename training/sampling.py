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
    for stack, limit in graph.limits.items():
        first = vectors_in_front(graph, stack)
        if length + first > int(limit):
            what = f"length ({length}) is larger"
            if first:
                what = f"length ({length}) and {first} prefix tokens are more"
            raise TrainingError(f"{what} than max_positions ({int(limit)})")


def longest(graph: ModuleGraph, most: int) -> int:
    """The default length of samples: what the positions of all stacks reach, at most `most`."""
    limits = {name: stack.max_positions for name, stack in graph.stack_facts.items()}
    found = [n - vectors_in_front(graph, name) for name, n in limits.items() if n is not None]
    return min([most, *found])


def vectors_in_front(graph: ModuleGraph, stack: str) -> int:
    """The number of learned vectors before the tokens of a stack, which have positions too."""
    fact = graph.inputs[stack]
    return int(fact.prefix) if fact.kind == "tokens" else 0


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
    return F.cross_entropy(labelled_logits(model, inputs, labels), labels.flatten())


def labelled_logits(model: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """The logits (N, V) of what has labels; vectors before the tokens have none."""
    logits: Tensor = model(**inputs).float()
    if labels.dim() > 1:
        logits = logits[:, -labels.size(1) :]
    return logits.flatten(0, -2)
