"""Hidden states of every layer, the logit lens, and tables of positions of an emitted model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from .attention_maps import evaluated, paused, unwrapped
from .twin import override

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
    with evaluated(model):
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

    Raises ValueError for a model whose result is not logits (B, T, V), and for one whose layers
    have hidden states of several widths.
    """
    model = unwrapped(model)
    name, layers = list(stacks_of(model).items())[-1]
    states = {
        key: state
        for key, state in hidden_states(model, **inputs).items()
        if key.startswith(f"{name}.")
    }
    widths = {key: state.size(-1) for key, state in states.items()}
    if len({*widths.values()}) > 1:
        listed = ", ".join(f"{key} has {width}" for key, width in widths.items())
        raise ValueError(f"the logit lens needs hidden states of one width, and {listed}")
    found: dict[str, Any] = {}
    for key, state in states.items():
        with evaluated(model), paused(model), _layers_give(layers, state):
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
    with ExitStack() as undo:
        for block in layers:
            override(block, "forward", lambda *_, **__: state, undo)
        yield
