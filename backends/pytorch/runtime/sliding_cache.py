"""Key-value caches of models with windows (those in `cache.py` keep all tokens)."""

from __future__ import annotations

import torch
from torch import Tensor


class SlidingCache:
    """What a decoder stores, by layer, where some layers keep only their last tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}
        self.first: dict[int, int] = {}  # index of the first token stored in a layer
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def append(
        self, layer: int, k: Tensor, v: Tensor, previous: int | None
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return them after those of `previous` tokens.

        If `previous` is None, all tokens are kept. Otherwise there is room for 1/16 more; when it
        is full, the kept tokens move to the front.
        """
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        kept = self.capacity if previous is None else previous
        if layer not in self.kv:
            room = min(self.capacity, kept + kept // 16 + 1)
            self.kv[layer] = [x.new_empty(*x.shape[:-2], room, x.size(-1)) for x in (k, v)]
            self.first[layer] = 0
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        first = self.first[layer]
        old, new, last = max(0, self.length - kept) - first, self.length - first, end - first
        if last <= keys.size(-2):
            keys[..., new:last, :], values[..., new:last, :] = k, v
            return keys[..., old:last, :], values[..., old:last, :]
        k = torch.cat([keys[..., old:new, :], k], dim=-2)
        v = torch.cat([values[..., old:new, :], v], dim=-2)
        kept = min(kept, k.size(-2))
        rest = k.size(-2) - kept
        keys[..., :kept, :], values[..., :kept, :] = k[..., rest:, :], v[..., rest:, :]
        self.first[layer] = end - kept
        return k, v


class RingCache:
    """Methods that replace those of `StaticCache` if some layers keep only their last tokens, each
    in a ring of slots.
    """

    capacity: int
    length: Tensor
    positions: Tensor
    kv: dict[int, list[Tensor]]

    def recent(self, attention_mask: Tensor | None, previous: int) -> Tensor:
        """True at tokens, False at padding and before the first, for `previous` tokens and the new
        ones, (B or 1, S).
        """
        new = self.positions.size(0)
        index = self.length + torch.arange(-previous, new, device=self.length.device)  # (S,)
        if attention_mask is None:
            return (index >= 0)[None]
        return attention_mask[:, index.clamp(min=0)].bool() & (index >= 0)

    def append(
        self, layer: int, k: Tensor, v: Tensor, previous: int | None
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return them after those of `previous` tokens.

        With None, a layer keeps all tokens, and the whole buffers are returned.
        """
        kept = self.capacity if previous is None else min(previous, self.capacity)
        if layer not in self.kv:
            room = max(kept, 1)
            self.kv[layer] = [x.new_zeros(*x.shape[:-2], room, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        if previous is None:
            keys.index_copy_(-2, self.positions, k)
            values.index_copy_(-2, self.positions, v)
            return keys, values
        room = keys.size(-2)
        order = (self.length + torch.arange(-kept, 0, device=self.length.device)) % room
        new = self.positions[-room:] % room  # token p is in slot p % room
        seen_k = torch.cat([keys.index_select(-2, order), k], dim=-2)
        seen_v = torch.cat([values.index_select(-2, order), v], dim=-2)
        keys.index_copy_(-2, new, k[..., -room:, :])
        values.index_copy_(-2, new, v[..., -room:, :])
        return seen_k, seen_v
