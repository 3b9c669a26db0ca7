"""Pruning: remove layers, heads and hidden units that matter least.

The importance of heads and hidden units is the mean absolute gradient of a gate that multiplies
their output (Michel et al. 2019, arXiv:1905.10650). It estimates the change of the loss, so that of
heads is compared between layers; unlike there, it is not divided by the norm of the layer, which in
benchmarks/smaller.py removed heads of the first layer and doubled the increase of the loss. Layers
are removed one by one, each time the one without which the loss is lowest.

The result is a smaller spec and its weights. It is compared with the masked original before
anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .layer_names import Layer, layers_by_stack
from .prunable import Prunable, prunable
from .sampling import check_length, longest, loss_of, samples_of
from .smaller import Units, smaller_spec, smaller_weights
from .tasks import task_of
from .weight_files import load_float_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..spec import ModelSpec

    Batch = tuple[dict[str, Tensor], Tensor]

TOLERANCE = 1e-4
"""Largest difference of logits between the masked and the smaller model, relative to the largest
logit.
"""
KINDS = {
    "heads": "no attention whose heads can be removed",
    "d_ff": "no feed-forward whose hidden units can be removed; those of experts cannot",
}
"""What can be removed, and what a model without it has."""
PARTS = {"heads": "heads", "d_ff": "hidden units"}


@dataclass(frozen=True)
class Amount:
    """How much to remove: a fraction, such as 25 %, or a number."""

    share: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, given: str | float) -> Amount:
        """`25%`, `4` or 4. Raises TrainingError for others."""
        text = str(given)
        number = text.removesuffix("%")
        if not number.replace(".", "", 1).isdecimal() or ("." in number and number == text):
            raise TrainingError(f"`{text}` is neither a percentage, such as 25%, nor a number")
        if not float(number):
            raise TrainingError(f"`{text}` removes nothing; leave the option out")
        return cls(share=float(number) / 100) if number != text else cls(count=int(text))

    def from_total(self, total: int, least: int, what: str, why: str = "") -> int:
        """The number to remove. Raises TrainingError if fewer than `least` of `total` remain."""
        count = self.count or round(self.share * total)
        if not count:
            raise TrainingError(f"{100 * self.share:.3g} % of {total} {what} is none; remove more")
        if total - count < least:
            raise TrainingError(
                f"cannot remove {count} of {total} {what}; {least} must remain{why}"
            )
        return count


@dataclass(frozen=True)
class Pruned:
    """A smaller model.

    spec, weights  the spec, and tensors by logical name
    layers         the layers that remain, from 0, by stack
    removed        units removed, by kind
    before, after  mean loss of the samples, as given and after pruning
    """

    spec: ModelSpec
    weights: dict[str, Tensor]
    layers: dict[str, tuple[int, ...]]
    removed: dict[str, int]
    before: float
    after: float


def prune(
    spec: ModelSpec,
    weights: Path,
    data: Path,
    *,
    heads: str | int = "",
    d_ff: str | int = "",
    layers: int = 0,
    samples: int = 64,
    length: int | None = None,
) -> Pruned:
    """Remove layers, then heads and hidden units.

    heads: how many of all heads, such as `25%` or 4; whole groups with one key-value head are
        removed, and at least one remains in each attention
    d_ff: how many of the hidden units of each feed-forward
    layers: number of layers
    samples: number of samples whose loss is measured
    length: sequence length in tokens; default: max_positions, at most 1024

    Raises TrainingError for a model from which these parts cannot be removed.
    """
    from ..backends.pytorch import compile as compile_model
    from ..compiler import lower

    wanted = {
        kind: Amount.of(text) for kind, text in (("heads", heads), ("d_ff", d_ff)) if text != ""
    }
    if not wanted and not layers:
        raise TrainingError("choose what to remove: --heads, --d-ff or --layers")
    if samples < 1:
        raise TrainingError(f"samples must be at least 1, not {samples}")
    graph = lower(spec)
    parts, names = prunable(graph), layers_by_stack(graph, "pruning")
    model = compile_model(graph).eval()
    load_float_weights(model, weights)
    task = task_of(graph, model)
    size = length or longest(graph, 1024)
    check_length(graph, size)
    batches = list(_batches(samples_of(task, data, "train", size), samples))
    with ExitStack() as masks:
        before = mean_loss(model, batches)
        kept = _remove_layers(model, batches, names, layers, masks)
        units = _remove_units(model, batches, [p for at in kept for p in parts[at]], wanted, masks)
        after, expected = mean_loss(model, batches), _logits(model, batches[0])
    small = smaller_spec(spec, kept, units)
    made = smaller_weights(lower(small), graph, model.state_dict(), kept, units)
    _check_equal(small, made, batches[0], expected)
    removed = {kind: _count(units, kind) for kind in KINDS}
    left = {name: tuple(n for of, n in kept if of == name) for name in graph.stack_facts}
    return Pruned(small, made, left, removed, before, after)


def write_pruned(pruned: Pruned, output: Path, *, force: bool = False) -> None:
    """Write a spec, and its weights beside it with the suffix `.safetensors`.

    Raises OutputError for a file that cannot be written, or that exists, unless `force`; then
    neither is.
    """
    from .. import outputs
    from ..backends.huggingface.spec_text import spec_text
    from ..backends.tensor_files import write_tensors

    removed = ", ".join(f"{n:,} {PARTS[kind]}" for kind, n in pruned.removed.items() if n)
    comment = f"{pruned.spec.name}: pruned by `modelwright prune`"
    comment += f", which removed {removed}" if removed else ""
    text = outputs.stamp(spec_text(pruned.spec, comment).encode(), ".yaml")

    def is_ours(data: bytes) -> bool:
        return outputs.is_unedited(data, ".yaml")

    with outputs.replacing(output.with_suffix(".safetensors")) as fresh:
        write_tensors(pruned.weights, fresh)
        outputs.write(output, text, force=force, is_ours=is_ours)


def _count(units: Units, kind: str) -> int:
    """Number of heads or hidden units that are removed."""
    found = [(part, kept) for part, kept in units.items() if part.kind == kind]
    return sum((part.units - len(kept)) * part.size for part, kept in found)


def _check_equal(
    spec: ModelSpec, weights: dict[str, Tensor], batch: Batch, expected: Tensor
) -> None:
    """Raise TrainingError unless the smaller model computes what the masked one does."""
    from ..backends.pytorch import compile as compile_model

    model = compile_model(spec).eval()
    model.load_state_dict(weights)
    difference = float((_logits(model, batch) - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"{spec.name}: the smaller model differs from the masked one by {difference:.1e} of "
            "the largest logit: parts of it depend on the number of heads, units or layers, such "
            "as ALiBi slopes, a norm over all heads, talking heads, or differential attention, "
            "which depends on the number of its layer"
        )


def _batches(samples: Any, count: int, size: int = 8) -> Iterator[Batch]:
    for first in range(0, count, size):
        yield samples.batch(first, min(size, count - first))


def mean_loss(model: nn.Module, batches: list[Batch]) -> float:
    """The mean loss of all labels."""
    import torch

    total, count = 0.0, 0
    with torch.no_grad():
        for inputs, labels in batches:
            real = int((labels != -100).sum())
            total += float(loss_of(model, inputs, labels)) * real
            count += real
    return total / count


def _logits(model: nn.Module, batch: Batch) -> Tensor:
    import torch

    with torch.no_grad():
        logits: Tensor = model(**batch[0])
    return logits


# -- layers


@contextmanager
def _without(model: nn.Module, layer: str) -> Iterator[None]:
    """Context: a layer returns its input."""
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _module, inputs, _output: inputs[0]
    )
    try:
        yield
    finally:
        hook.remove()


def _remove_layers(
    model: nn.Module, batches: list[Batch], names: dict[Layer, str], count: int, masks: ExitStack
) -> tuple[Layer, ...]:
    """Remove layers one by one; returns those that remain. `masks` keeps them removed."""
    kept = list(names)
    if count:
        Amount(count=count).from_total(len(names), len({at[0] for at in names}), "layers")
    for _ in range(count):
        losses, left = {}, Counter(at[0] for at in kept)
        for layer in (at for at in kept if left[at[0]] > 1):
            with _without(model, names[layer]):
                losses[layer] = mean_loss(model, batches)
        least = min(losses, key=lambda layer: losses[layer])
        masks.enter_context(_without(model, names[least]))
        kept.remove(least)
    return tuple(kept)


# -- heads and hidden units


def _remove_units(
    model: nn.Module,
    batches: list[Batch],
    parts: list[Prunable],
    wanted: dict[str, Amount],
    masks: ExitStack,
) -> Units:
    """The units that remain in each part; `masks` keeps the others at zero."""
    for kind in wanted:
        if not any(part.kind == kind for part in parts):
            raise TrainingError(f"this model has {KINDS[kind]}")
    scores = importance(model, batches, [part for part in parts if part.kind in wanted])
    units = _least_heads({p: s for p, s in scores.items() if p.kind == "heads"}, wanted)
    for part, score in scores.items():
        if part.kind == "d_ff":
            count = wanted["d_ff"].from_total(part.units, 1, "hidden units of a layer")
            best = score.argsort(descending=True)[: part.units - count]
            units[part] = tuple(sorted(best.tolist()))
    for part, kept in units.items():
        masks.enter_context(_masked(model, part, kept))
    return units


def importance(
    model: nn.Module, batches: list[Batch], parts: list[Prunable]
) -> dict[Prunable, Tensor]:
    """Sum over samples of the absolute gradient of a gate of each unit, (units,)."""
    import torch

    seen: dict[Prunable, Tensor] = {}

    def keep(part: Prunable) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            inputs[0].retain_grad()
            seen[part] = inputs[0]

        return hook

    hooks = [model.get_submodule(p.name).register_forward_pre_hook(keep(p)) for p in parts]
    scores = {part: torch.zeros(part.units) for part in parts}
    try:
        for inputs, labels in batches:
            torch.autograd.backward(loss_of(model, inputs, labels))
            for part, x in seen.items():
                assert x.grad is not None
                gates = (x.detach() * x.grad).flatten(1, -2).sum(1)  # (B, units x width)
                scores[part] += gates.reshape(len(gates), part.units, -1).sum(-1).abs().sum(0)
            model.zero_grad()
    finally:
        for hook in hooks:
            hook.remove()
    return scores


def _least_heads(scores: dict[Prunable, Tensor], wanted: dict[str, Amount]) -> Units:
    """Rank the groups of heads of all layers; at least one group per layer remains."""
    if not scores:
        return {}
    ranked = sorted(
        (float(value), n, part) for part, score in scores.items() for n, value in enumerate(score)
    )
    total = sum(part.units * part.size for part in scores)
    why = ": one key-value head in each attention, with all its heads"
    count = wanted["heads"].from_total(total, sum(part.size for part in scores), "heads", why)
    kept = {part: set(range(part.units)) for part in scores}
    for _, n, part in ranked:
        if part.size <= count and len(kept[part]) > 1:
            kept[part].remove(n)
            count -= part.size
    if all(len(left) == part.units for part, left in kept.items()):
        size = min(part.size for part in scores)
        raise TrainingError(
            f"{count} heads are less than a group of {size} heads with one key-value head; groups "
            "are removed together"
        )
    return {part: tuple(sorted(left)) for part, left in kept.items()}


@contextmanager
def _masked(model: nn.Module, part: Prunable, kept: tuple[int, ...]) -> Iterator[None]:
    """Context: the other units of a part are zero."""
    import torch

    gate = torch.zeros(part.units)
    gate[list(kept)] = 1

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        wide = gate.repeat_interleave(inputs[0].size(-1) // part.units)
        return (inputs[0] * wide, *inputs[1:])

    removable = model.get_submodule(part.name).register_forward_pre_hook(hook)
    try:
        yield
    finally:
        removable.remove()
