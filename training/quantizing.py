"""Quantize a trained model, and measure what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .sampling import check_length, labelled_logits, longest, samples_of
from .tasks import task_of
from .weight_files import load_float_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..spec import ModelSpec


PAIRS = 32
"""Largest batch of pairs that are compared."""


@dataclass(frozen=True)
class Quantized:
    """A quantized model.

    left: matrices that were not quantized, and why
    before, after: mean loss of the samples, in nats; None without data
    divergence: mean Kullback-Leibler divergence of its predictions from the original ones, in nats
    """

    model: nn.Module
    left: dict[str, str]
    before: float | None = None
    after: float | None = None
    divergence: float | None = None


def quantize_spec(
    spec: ModelSpec,
    weights: Path,
    kind: str,
    data: Path | None = None,
    *,
    samples: int = 64,
    length: int | None = None,
) -> Quantized:
    """Quantize the linear layers of a model with the given weights.

    kind: int8, int8-dynamic, int4 or float8; see `backends.pytorch.quantized`
    data: folder written by `modelwright data`, on whose held-out samples the model is measured
    samples: number of samples
    length: sequence length in tokens; default: max_positions, at most 1024

    Raises QuantizationError, WeightsError, and TrainingError for a head that cannot be measured.
    """
    from ..backends.pytorch import compile as compile_model
    from ..backends.pytorch.quantized import quantize
    from ..compiler import lower

    graph = lower(spec)
    model = compile_model(graph).eval()
    load_float_weights(model, weights)
    if data is None:
        return Quantized(model, quantize(model, kind))
    size = length or longest(graph, 1024)
    check_length(graph, size)
    task = task_of(graph, model)
    if task.objective == "squares":
        raise TrainingError(f"{graph.name}: --data needs a head that predicts classes or tokens")
    read = samples_of(task, data, "val", size)
    if read.count < 1:
        read = samples_of(task, data, "train", size)
    batches = _batches(read, samples, together=task.objective == "contrastive")
    original = list(_predictions(model, batches))
    left = quantize(model, kind)
    sums = [0.0, 0.0, 0.0]
    for (loss, expected, _), (other, found, count) in zip(
        original, _predictions(model, batches), strict=True
    ):
        divergence = float((expected.exp() * (expected - found)).sum().clamp(min=0))  # rounding
        sums = [a + b for a, b in zip(sums, (loss * count, other * count, divergence), strict=True)]
    total = sum(count for _, _, count in original)
    return Quantized(model, left, *(x / total for x in sums))


def _batches(read: Any, samples: int, *, together: bool) -> list[tuple[dict[str, Tensor], Tensor]]:
    """Batches of samples.

    together: predictions compare the samples of a batch: at most 32, and no batch of one
    """
    if not together:
        return [read.batch(first, 1) for first in range(samples)]
    if samples < 2:
        raise TrainingError("--samples must be at least 2 for a head that compares pairs")
    parts = -(-samples // PAIRS)
    borders = [samples * n // parts for n in range(parts + 1)]
    return [read.batch(a, b - a) for a, b in pairwise(borders)]


def _predictions(
    model: nn.Module, batches: list[tuple[dict[str, Tensor], Tensor]]
) -> Iterator[tuple[float, Tensor, int]]:
    """Of each batch, the mean loss, the log-probabilities (N, V), and the number of labels N."""
    import torch

    for inputs, labels in batches:
        real = labels.flatten() >= 0
        with torch.no_grad():
            scores = labelled_logits(model, inputs, labels)[real].log_softmax(-1)
        loss = -scores.gather(1, labels.flatten()[real, None]).mean()
        yield float(loss), scores, int(real.sum())
