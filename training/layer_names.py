"""Names of the layers of models with one stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import TrainingError

if TYPE_CHECKING:
    from ..compiler import ModuleGraph


def layer_names(graph: ModuleGraph, purpose: str) -> list[str]:
    """The name of each layer's module, such as `layers.3`.

    purpose: what needs them, for errors

    Raises TrainingError for a model with several stacks, or with layers that share weights.
    """
    if len(graph.stack_facts) != 1:
        raise TrainingError(f"{graph.name}: {purpose} needs a model with one stack")
    blocks = [scope for scope in graph.scopes.values() if scope.role == "block"]
    if any(scope.stored != scope.layer_indices for scope in blocks):
        raise TrainingError(f"{graph.name}: {purpose} needs layers that do not share weights")
    found = {
        layer: scope.weights.replace("{layer}", str(layer))
        for scope in blocks
        for layer in scope.layer_indices
    }
    return [found[layer] for layer in sorted(found)]
