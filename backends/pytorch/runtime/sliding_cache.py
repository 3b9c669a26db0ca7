"""Key-value caches of models with windows (those in `cache.py` keep all tokens)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class SlidingCache:
    """What a decoder stores, by layer, where some layers keep only their last tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}
        self.first: dict[int, int] = {}  # index of the first token stored in a layer
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def append(self, layer: int, k: Tensor, v: Tensor, kept: int | None) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return them after those of `kept` previous tokens.

        None keeps all tokens. Full buffers are replaced; there is room for 1/16 more than `kept`.
        """
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        kept = self.capacity if kept is None else kept
        keys, values = self.kv[layer] if layer in self.kv else [k[..., :0, :], v[..., :0, :]]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        first = self.first.get(layer, 0)
        old, new, last = max(0, self.length - kept) - first, self.length - first, end - first
        if last <= keys.size(-2):
            keys[..., new:last, :], values[..., new:last, :] = k, v
            return keys[..., old:last, :], values[..., old:last, :]
        k = torch.cat([keys[..., old:new, :], k], dim=-2)
        v = torch.cat([values[..., old:new, :], v], dim=-2)
        room = min(self.capacity, kept + kept // 16 + 1)
        kept = min(kept, k.size(-2))  # a negative padding crops
        self.kv[layer] = [F.pad(x, (0, 0, kept - x.size(-2), room - kept)) for x in (k, v)]
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

    def append(self, layer: int, k: Tensor, v: Tensor, kept: int | None) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return them after those of `kept` previous tokens.

        With None, a layer keeps all tokens, and the whole buffers are returned.
        """
        room = self.capacity if kept is None else max(1, min(kept, self.capacity))
        if layer not in self.kv:
            self.kv[layer] = [x.new_zeros(*x.shape[:-2], room, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        if kept is None:
            keys.index_copy_(-2, self.positions, k)
            values.index_copy_(-2, self.positions, v)
            return keys, values
        kept = min(kept, self.capacity)
        order = (self.length + torch.arange(-kept, 0, device=self.length.device)) % room
        new = self.positions[-room:] % room  # token p is in slot p % room
        seen_k = torch.cat([keys.index_select(-2, order), k], dim=-2)
        seen_v = torch.cat([values.index_select(-2, order), v], dim=-2)
        keys.index_copy_(-2, new, k[..., -room:, :])
        values.index_copy_(-2, new, v[..., -room:, :])
        return seen_k, seen_v
