"""A smaller spec, and weights cut to its sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .layer_names import layer_names
from .prunable import Prunable

if TYPE_CHECKING:
    from torch import Tensor

    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

Units = dict[Prunable, tuple[int, ...]]
"""Prunable -> the units that remain."""


def smaller_spec(spec: ModelSpec, kept: Sequence[int], layers: Sequence[Units]) -> ModelSpec:
    """The spec with fewer layers, heads and hidden units.

    kept: the layers that remain, from 0
    layers: for each of them, the units that remain

    Raises TrainingError if the spec language cannot say it.
    """
    import yaml

    from ..compiler.display import to_yaml
    from ..spec import SpecErrors, loads

    data = yaml.safe_load(to_yaml(spec))
    (name,) = spec.stacks
    stack = data["stacks"][name] if "stacks" in data else data[name]
    order, blocks, made = spec.stacks[name].order, stack["blocks"], dict[str, Any]()
    pattern = []
    for layer, units in zip(kept, layers, strict=True):
        block = _block(blocks[order[layer]], units, stack["d_model"])
        known = (n for n, other in made.items() if other == block and n.startswith(order[layer]))
        fresh = order[layer] if order[layer] not in made else f"{order[layer]}_{len(made) + 1}"
        pattern.append(next(known, fresh))
        made[pattern[-1]] = block
    stack |= {"blocks": made, "pattern": pattern, "layers": len(pattern)}
    try:
        return loads(yaml.safe_dump(data, sort_keys=False))
    except SpecErrors as errors:
        raise TrainingError(f"the smaller model has no valid spec: {errors}") from None


def _block(block: Mapping[str, Any], units: Units, d_model: int) -> dict[str, Any]:
    made = deepcopy(dict(block))
    for part, kept in units.items():
        key = "attention" if part.kind == "heads" else "feed_forward"
        options = made[key]
        if part.kind == "heads":
            options.setdefault("head_dim", d_model // options["heads"])
            if "kv_heads" in options:
                options["kv_heads"] = len(kept)
            options["heads"] = len(kept) * part.size
        else:
            options["d_ff"] = len(kept)
    return made


def smaller_weights(
    small: ModuleGraph,
    large: ModuleGraph,
    weights: Mapping[str, Tensor],
    kept: Sequence[int],
    layers: Sequence[Units],
) -> dict[str, Tensor]:
    """The weights of a smaller model, cut from those of a larger one."""
    ours, theirs = layer_names(small, "pruning"), layer_names(large, "pruning")
    made = {}
    for weight in small.weights():
        place = next((n for n, name in enumerate(ours) if weight.name.startswith(f"{name}.")), None)
        source, units = weight.name, Units()
        if place is not None:
            source = theirs[kept[place]] + weight.name.removeprefix(ours[place])
            units = {p: u for p, u in layers[place].items() if source.startswith(f"{p.prefix}.")}
        made[weight.name] = _cut(weights[source], weight.shape, units)
    return made


def _cut(tensor: Tensor, shape: Sequence[int], units: Units) -> Tensor:
    """The tensor with the given shape: along axes that are longer, the units that remain."""
    import torch

    for axis, size in enumerate(shape):
        length = tensor.size(axis)
        if size == length:
            continue
        for part, kept in units.items():
            width = length // part.units
            if length % part.units == 0 and size == len(kept) * width:
                index = torch.tensor(kept)[:, None] * width + torch.arange(width)
                tensor = tensor.index_select(axis, index.flatten())
                break
    return tensor.contiguous()
