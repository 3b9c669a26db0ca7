"""The cache of a decoder whose attentions are linear."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Sums over the tokens seen so far, by layer, which do not grow. Not part of the weights."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.states: dict[int, Tensor] = {}

    def state(self, layer: int) -> Tensor | None:
        """The sum of a layer (B, H, E, E), if there was a token."""
        return self.states.get(layer)
