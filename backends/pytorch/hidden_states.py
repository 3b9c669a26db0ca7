"""Hidden states of every layer, the logit lens, and tables of positions of an emitted model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .attention_maps import unwrapped

INPUT = "input"
"""Last part of the name of what the first layer reads."""


def hidden_states(model: nn.Module, **inputs: Any) -> dict[str, Tensor]:
    """The hidden states (B, T, D) between the layers of an emitted model.

    `layers.input` is what the first layer reads, and `layers.3` the output of layer 3, before the
    final norm. In a model of several stacks, names begin with that of the stack. The model runs
    once in eval mode, without gradients.

    inputs: the arguments of the model's `forward`
    """
    found: dict[str, Tensor] = {}
    model = unwrapped(model)
    with _evaluated(model):
        handles = [
            handle
            for name, layers in stacks_of(model).items()
            for handle in _watch(name, layers, found)
        ]
        try:
            model(**inputs)
        finally:
            for handle in handles:
                handle.remove()
    return found


def stacks_of(model: nn.Module) -> dict[str, nn.ModuleList]:
    """The layers of each stack by name: `layers`, `encoder.layers`."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] == "layers"
    }


def _watch(name: str, layers: nn.ModuleList, found: dict[str, Tensor]) -> Iterator[Any]:
    """Hooks that collect the states; layers that share a module are counted as they run."""

    def before(_: nn.Module, given: tuple[Any, ...]) -> None:
        found.setdefault(f"{name}.{INPUT}", given[0].detach())

    def after(_: nn.Module, __: Any, result: Tensor) -> None:
        number = sum(key.startswith(f"{name}.") for key in found) - 1
        found[f"{name}.{number}"] = result.detach()

    for block in layers:
        yield block.register_forward_pre_hook(before)
        yield block.register_forward_hook(after)


def logit_lens(model: nn.Module, **inputs: Any) -> dict[str, Tensor]:
    """The logits that each layer's hidden states would give, {layer: (B, T, V)}.

    The hidden states of `hidden_states` go through the final norm and the head of the model
    (nostalgebraist 2020, "interpreting GPT: the logit lens"). The last layer's are the model's
    logits. In an encoder-decoder, the layers are those of the decoder.

    Raises ValueError for a model whose result is not logits (B, T, V).
    """
    model = unwrapped(model)
    states = hidden_states(model, **inputs)
    name = list(stacks_of(model))[-1]
    found: dict[str, Any] = {}
    for key, state in states.items():
        if key.startswith(f"{name}."):
            with _evaluated(model), _layers_give(stacks_of(model)[name], state):
                found[key] = model(**inputs)
    width = getattr(getattr(model, "config", None), "vocab_size", None)
    if any(
        not isinstance(x, Tensor) or x.dim() != 3 or x.size(-1) != width for x in found.values()
    ):
        raise ValueError(
            f"the logit lens needs a language model head, and {type(model).__name__} returns no "
            "logits (B, T, V)"
        )
    return found


@contextmanager
def _layers_give(layers: nn.ModuleList, state: Tensor) -> Iterator[None]:
    """Context in which the layers compute nothing and return this state."""
    for block in layers:
        block.forward = lambda *_, **__: state
    try:
        yield
    finally:
        for block in layers:
            del block.forward


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    """Context: eval mode, without gradients."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
