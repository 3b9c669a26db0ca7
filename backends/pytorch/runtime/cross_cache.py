"""The cache of a decoder that also reads a memory."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Keys and values of the tokens seen so far and of the memory, per layer. No weights."""

    def __init__(self, layers: int, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.keys: list[Tensor | None] = [None] * layers
        self.values: list[Tensor | None] = [None] * layers
        self.memory: list[tuple[Tensor, Tensor] | None] = [None] * layers

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new tokens' (B, K, T, E); give back those of all tokens, (B, K, S, E)."""
        end = self.length + k.size(2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        keys, values = self.keys[layer], self.values[layer]
        if keys is None or values is None:
            keys = k.new_empty(*k.shape[:2], self.capacity, k.size(3))
            values = v.new_empty(*v.shape[:2], self.capacity, v.size(3))
            self.keys[layer], self.values[layer] = keys, values
        keys[:, :, self.length : end] = k
        values[:, :, self.length : end] = v
        return keys[:, :, :end], values[:, :, :end]
