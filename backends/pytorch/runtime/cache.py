"""Key-value caches. A model's `Cache` has the attributes and methods that its ops need."""

from __future__ import annotations

import torch
from torch import Tensor


class Cache:
    """What a decoder stores, by layer; it grows with the tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return those of all tokens (..., S, E)."""
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        if layer not in self.kv:
            self.kv[layer] = [x.new_empty(*x.shape[:-2], self.capacity, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        keys[..., self.length : end, :], values[..., self.length : end, :] = k, v
        return keys[..., :end, :], values[..., :end, :]

    def state(self, layer: int, batch: int) -> Tensor | None:
        """The state of a layer, (B, …), or None before the first token."""
        state = self.states.get(layer)
        if state is not None and state.size(0) != batch:
            raise ValueError(f"batch {batch}; the cache has {state.size(0)}")
        return state

    def set_state(self, layer: int, state: Tensor) -> None:
        """Store the state of a layer after the new tokens, (B, …)."""
        self.states[layer] = state


class StaticCache:
    """A cache allocated for all tokens up front; every step reads all of it."""

    def __init__(self, capacity: int, device: torch.device | None = None) -> None:
        self.capacity = capacity
        self.length = torch.zeros(1, dtype=torch.long, device=device)
        self.positions = self.length  # of the new tokens, (T,)
        self.kv: dict[int, list[Tensor]] = {}
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}

    def begin(self, positions: Tensor) -> Tensor:
        """Positions (T,) of the new tokens, after the cached ones; `append` writes there."""
        fits = self.length + positions.size(0) <= self.capacity  # checked on the device
        torch._assert_async(fits, f"more tokens than the {self.capacity} that the cache holds")
        self.positions = self.length + positions
        return self.positions

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (..., T, E) of new tokens; return the whole buffers (..., S, E)."""
        if layer not in self.kv:
            self.kv[layer] = [x.new_zeros(*x.shape[:-2], self.capacity, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        keys.index_copy_(-2, self.positions, k)
        values.index_copy_(-2, self.positions, v)
        return keys, values
