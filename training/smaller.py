"""A smaller spec, and weights cut to its sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .layer_names import Layer, layers_by_stack
from .prunable import Prunable, bias_tables

if TYPE_CHECKING:
    from torch import Tensor

    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

Units = dict[Prunable, tuple[int, ...]]
"""Prunable -> the units that remain."""


def smaller_spec(spec: ModelSpec, kept: Sequence[Layer], units: Units) -> ModelSpec:
    """The spec with fewer layers, heads and hidden units.

    kept: the layers that remain
    units: the units that remain in parts of these layers

    Raises TrainingError if the spec language cannot say it.
    """
    import yaml

    from ..compiler.display import to_yaml
    from ..spec import SpecErrors, loads

    data = yaml.safe_load(to_yaml(spec))
    stacks = data.get("stacks", data)
    for name, given in spec.stacks.items():
        if not given.order:
            continue
        stack, made, pattern = stacks[name], dict[str, Any](), list[str]()
        for layer in (at for at in kept if at[0] == name):
            old = given.order[layer[1]]
            here = {part: left for part, left in units.items() if part.layer == layer}
            block = _block(stack["blocks"][old], here, stack["positions"])
            known = (n for n, other in made.items() if other == block and n.startswith(old))
            fresh = old if old not in made else f"{old}_{len(made) + 1}"
            pattern.append(next(known, fresh))
            made[pattern[-1]] = block
        stack.pop("overrides", None)
        inner = [found for block in made.values() for found in _positions(block)]
        if inner and stack["positions"] not in inner:  # they would have no effect
            stack["positions"] = deepcopy(inner[0])
        stack |= {"blocks": made, "pattern": pattern, "layers": len(pattern)}
    try:
        return loads(yaml.safe_dump(data, sort_keys=False))
    except SpecErrors as errors:
        reason = errors.problems[0].message
        raise TrainingError(
            f"{spec.name}: the smaller model cannot be written as a spec: {reason}"
        ) from None


def _block(block: Mapping[str, Any], units: Units, positions: Any) -> dict[str, Any]:
    """A block of which these units remain; `positions` are those of its stack."""
    made = deepcopy(dict(block))
    for part, left in units.items():
        options: Any = made
        for key in part.place:
            options = options[key]
        if part.kind == "heads":
            if len(left) < part.units and part.place[0] != "cross_attention":
                where = made if "positions" in made else options  # of `sublayers`
                where["positions"] = _own_tables(where.get("positions", positions))
            options |= {**_widths(options["type"], part), **options}
            if "kv_heads" in options:
                options["kv_heads"] = len(left)
            options["heads"] = len(left) * part.size
        else:
            options["d_ff"] = len(left)
    return made


def _own_tables(positions: Any) -> Any:
    """Positions with biases of each layer, if its heads differ from those of others (T5)."""
    if not isinstance(positions, list):
        return positions
    return [{**one, "share": "layer"} if "share" in one else {**one} for one in positions]


def _positions(block: Mapping[str, Any]) -> list[Any]:
    """The positions of a block, or of its sublayers."""
    return [one["positions"] for one in (block, *block.get("sublayers", ())) if "positions" in one]


def _widths(kind: str, part: Prunable) -> dict[str, int]:
    """The widths of heads, which by default follow from their number."""
    query, value = part.widths
    widths = {"mha": {"head_dim": query}, "differential": {"head_dim": query}}
    return {**widths, "collaborative": {"value_dim": value}}.get(kind, {})


def smaller_weights(
    small: ModuleGraph,
    large: ModuleGraph,
    weights: Mapping[str, Tensor],
    kept: Sequence[Layer],
    units: Units,
) -> dict[str, Tensor]:
    """The weights of a smaller model, cut from those of a larger one.

    Raises TrainingError for weights that layers with other heads cannot share.
    """
    ours, theirs = layers_by_stack(small, "pruning"), layers_by_stack(large, "pruning")
    old = dict(zip(ours, kept, strict=True))
    places = [(f"{name}.", theirs[old[at]]) for at, name in ours.items()]
    tables = bias_tables(large)
    sources = {name: tables[old[at], place] for (at, place), name in bias_tables(small).items()}
    made = {}
    for weight in small.weights():
        source, parts = weight.name, Units()
        for prefix, place in places:
            if source.startswith(prefix):
                source = f"{place}.{source.removeprefix(prefix)}"
                parts = {p: u for p, u in units.items() if source.startswith(f"{p.prefix}.")}
                break
        tensor = weights.get(sources.get(weight.name, source))
        cut = None if tensor is None else _cut(tensor, weight.shape, parts, source)
        if cut is None or cut.shape != weight.shape:
            raise TrainingError(
                f"{large.name}: heads cannot be removed from attention with {_of(weight.name)}, "
                "whose weights depend on all heads or are shared by several layers"
            )
        made[weight.name] = cut
    return made


def _of(name: str) -> str:
    """`layers.0.attention.mix_scores.weight` -> `mix_scores`."""
    *_, module, last = name.split(".")
    return f"`{module if last in ('weight', 'bias') else last}`"


def _cut(tensor: Tensor, shape: Sequence[int], units: Units, name: str) -> Tensor:
    """The tensor with the given shape: along axes that are longer, the units that remain."""
    import torch

    for axis, size in enumerate(shape):
        length = tensor.size(axis)
        if size == length:
            continue
        for part, kept in units.items():
            inside = name.removeprefix(f"{part.prefix}.").split(".")[0]
            blocks = 2 if inside in part.halved else 1
            width = length // (blocks * part.units)
            if length % part.units == 0 and size == blocks * len(kept) * width:
                index = torch.tensor(kept)[:, None] * width + torch.arange(width)
                starts = torch.arange(blocks)[:, None] * part.units * width
                tensor = tensor.index_select(axis, (starts + index.flatten()).flatten())
                break
    return tensor.contiguous()
