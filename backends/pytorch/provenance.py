"""The graph and the build options of each compiled model, by instance."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...compiler.graph import ModuleGraph
from .options import BuildOptions

if TYPE_CHECKING:
    from torch import nn

_MADE: WeakKeyDictionary[nn.Module, tuple[ModuleGraph, BuildOptions]] = WeakKeyDictionary()


def remember(model: nn.Module, graph: ModuleGraph, options: BuildOptions) -> nn.Module:
    """Record what a model was compiled from. Returns the model."""
    _MADE[model] = graph, options
    return model


def provenance(model: nn.Module) -> tuple[ModuleGraph, BuildOptions] | None:
    """The graph and options of a model that `compile` returned; None for other models."""
    return _MADE.get(model)
