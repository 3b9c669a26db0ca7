"""The cache of a decoder that reads a memory, of which some attentions are linear."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Keys and values of the tokens seen so far, or sums over them, and of the memory, by layer."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new tokens' (..., T, E); give back those of all tokens, (..., S, E)."""
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        if layer not in self.kept:
            room = [x.new_empty(*x.shape[:-2], self.capacity, x.size(-1)) for x in (k, v)]
            self.kept[layer] = room[0], room[1]
        keys, values = self.kept[layer]
        keys[..., self.length : end, :] = k
        values[..., self.length : end, :] = v
        return keys[..., :end, :], values[..., :end, :]

    def state(self, layer: int) -> Tensor | None:
        """The sum of a layer (B, H, E, E), if there was a token."""
        return self.states.get(layer)
