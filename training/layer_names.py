"""Names of the modules of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import TrainingError

if TYPE_CHECKING:
    from ..compiler import ModuleGraph


Layer = tuple[str, int]
"""A stack, and the index of one of its layers."""


def layers_by_stack(graph: ModuleGraph, purpose: str) -> dict[Layer, str]:
    """The name of each layer's module, such as `decoder.layers.3`, in the order of the stacks.

    purpose: what needs them, for errors

    Raises TrainingError for a model with layers that share weights.
    """
    blocks = [scope for scope in graph.scopes.values() if scope.role == "block"]
    if any(scope.stored != scope.layer_indices for scope in blocks):
        raise TrainingError(f"{graph.name}: {purpose} needs layers that do not share weights")
    found = {
        (scope.stack, layer): scope.weights.replace("{layer}", str(layer))
        for scope in blocks
        for layer in scope.layer_indices
    }
    stacks = list(graph.stack_facts)
    return {at: found[at] for at in sorted(found, key=lambda at: (stacks.index(at[0]), at[1]))}


def layer_names(graph: ModuleGraph, purpose: str) -> list[str]:
    """The name of each layer's module, such as `layers.3`.

    purpose: what needs them, for errors

    Raises TrainingError for a model with several stacks, or with layers that share weights.
    """
    if len(graph.stack_facts) != 1:
        raise TrainingError(f"{graph.name}: {purpose} needs a model with one stack")
    return list(layers_by_stack(graph, purpose).values())
