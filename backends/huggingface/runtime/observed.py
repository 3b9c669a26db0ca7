"""Hidden states and attention weights, collected while a model runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

BLOCKS: list[str] = []


class AttentionWeights(TorchFunctionMode):
    """Appends the attention weights (B, H, T, S) of each SDPA call in its context to a list.

    tokens: the queries T of the running layer; for one, the heads of a group may be the queries
    """

    def __init__(self, found: list[Tensor]) -> None:
        super().__init__()
        self.found = found
        self.tokens = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function is F.scaled_dot_product_attention:
            query, key, _, *rest = args
            keys = torch.eye(key.size(2), dtype=query.dtype, device=query.device)
            values = keys.expand(*key.shape[:2], -1, -1)  # each key's value is its number, one-hot
            weights = function(query, key, values, *rest, **(kwargs or {}))
            if self.tokens == 1:  # (B, K, H/K, S) too
                weights = weights.flatten(1, 2).unsqueeze(2)  # (B, H, 1, S)
            self.found.append(weights)
        return function(*args, **(kwargs or {}))


class Observed:
    """Collects hidden states and attention weights while the model runs in its context.

    states: collect the inputs (B, T, D) of the layers and the last hidden states
    weights: collect the attention weights (B, H, T, S) of the layers
    """

    def __init__(self, model: nn.Module, *, states: bool, weights: bool) -> None:
        self.model = model
        self.states: list[Tensor] | None = [] if states else None
        self.weights: list[Tensor] | None = [] if weights else None
        self.hooks = ExitStack()

    def __enter__(self) -> Observed:
        if self.states is not None:
            self._watch(self.states)
        if self.weights is not None:
            self._in_one_tile()
            self._count(self.hooks.enter_context(AttentionWeights(self.weights)))
        return self

    def _in_one_tile(self) -> None:
        """Attend to all keys at once, also where long sequences are computed in tiles."""
        file = vars(sys.modules[type(self.model).__module__])
        if "DENSE" in file:
            self.hooks.callback(file.__setitem__, "DENSE", file["DENSE"])
            file["DENSE"] = sys.maxsize

    def __exit__(self, *_: object) -> None:
        self.hooks.close()

    def _count(self, weights: AttentionWeights) -> None:
        """Tell `weights` how many tokens a layer computes before it runs."""

        def count(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            weights.tokens = given[0].size(1)

        for module in self.model.modules():
            if type(module).__name__ in BLOCKS:
                self.hooks.callback(module.register_forward_pre_hook(count).remove)

    def _watch(self, states: list[Tensor]) -> None:
        for module in self.model.modules():
            if type(module).__name__ in BLOCKS:
                hook = module.register_forward_pre_hook(lambda _, given: states.append(given[0]))
                self.hooks.callback(hook.remove)
        whole = getattr(self.model, "hidden_states", None)
        if whole is not None:
            vars(self.model)["hidden_states"] = lambda *args, **kwargs: self.last(
                whole(*args, **kwargs)
            )
            self.hooks.callback(vars(self.model).pop, "hidden_states")

    def last(self, x: Tensor) -> Tensor:
        """Append the last hidden states (B, T, D) and return them."""
        if self.states is not None:
            self.states.append(x)
        return x

    @property
    def hidden_states(self) -> tuple[Tensor, ...] | None:
        return None if self.states is None else tuple(self.states)

    @property
    def attentions(self) -> tuple[Tensor, ...] | None:
        return None if self.weights is None else tuple(self.weights)
