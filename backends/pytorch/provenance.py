"""The graph and the build options of each compiled model, by its class.

A copy and an unpickled model have the class of the first one. Each emitted text has classes of its
own, and states the options that it was built with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...compiler.graph import ModuleGraph
from .options import BuildOptions

if TYPE_CHECKING:
    from torch import nn

_MADE: WeakKeyDictionary[type[nn.Module], tuple[ModuleGraph, BuildOptions]] = WeakKeyDictionary()


def remember(model: nn.Module, graph: ModuleGraph, options: BuildOptions) -> nn.Module:
    """Record what a model was compiled from. Returns the model."""
    _MADE[type(model)] = graph, options
    return model


def provenance(model: nn.Module) -> tuple[ModuleGraph, BuildOptions] | None:
    """The graph and options of a model from `compile`, or a copy; None for others."""
    return _MADE.get(type(model))
