"""Let a model compute as another emission of its graph does, for a while.

Each module takes the class of its twin, the same module of the other file, and nothing else: its
parameters, hooks and mode stay, so that a model with hooks computes what it computes without this.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch import nn


def own_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of the model's own file by name; not those of torch, nor what a user added."""
    file = type(model).__module__
    return {name: each for name, each in model.named_modules() if type(each).__module__ == file}


def become(model: nn.Module, twin: nn.Module, undo: ExitStack) -> None:
    """Give the model's modules the classes of the twin's, and the modules that only it has."""
    for name, module in own_modules(model).items():
        _become(module, twin.get_submodule(name), undo)


def _become(module: nn.Module, twin: nn.Module, undo: ExitStack) -> None:
    override(module, "__class__", type(twin), undo)
    for child in twin._modules.keys() - module._modules.keys():
        module.add_module(child, twin._modules[child])
        undo.callback(module._modules.pop, child)
    for name in vars(twin).keys() - vars(module).keys():
        override(module, name, vars(twin)[name], undo)


def override(place: object, name: str, value: Any, undo: ExitStack) -> None:
    """Set an attribute of an object, until `undo` is closed."""
    undo.callback(_reset(place, name))
    object.__setattr__(place, name, value)


def _reset(place: object, name: str) -> Callable[[], None]:
    if name != "__class__" and name not in vars(place):
        return lambda: object.__delattr__(place, name)
    before = getattr(place, name)
    return lambda: object.__setattr__(place, name, before)
