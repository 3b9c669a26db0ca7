"""The cache that an emitted model writes to, kept in one of Hugging Face's."""

from __future__ import annotations

from torch import Tensor
from transformers import Cache, EncoderDecoderCache


class KeptCache:
    """What the emitted model needs of a cache, for one step; `kept` holds the keys and values."""

    def __init__(self, kept: Cache) -> None:
        if kept.is_compileable:
            raise ValueError("a static cache is not supported: its keys are longer than the text")
        self.kept = kept
        self.length = int(kept.get_seq_length())
        self.filled = 0

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new tokens' (B, K, T, E); give back those of all tokens, (B, K, S, E).

        Layers come in the same order at each step; those that keep nothing leave no gap.
        """
        k, v = self.kept.update(k, v, self.filled)
        self.filled += 1
        return k, v


class KeptMemory:
    """Keys and values (B, K, M, E) of the memory, by layer."""

    def __init__(self, kept: EncoderDecoderCache) -> None:
        self.kept = kept

    def __contains__(self, layer: int) -> bool:
        return bool(self.kept.is_updated.get(layer))

    def __getitem__(self, layer: int) -> tuple[Tensor, Tensor]:
        stored = self.kept.cross_attention_cache.layers[layer]
        return stored.keys, stored.values

    def __setitem__(self, layer: int, keys_and_values: tuple[Tensor, Tensor]) -> None:
        self.kept.cross_attention_cache.update(*keys_and_values, layer)
        self.kept.is_updated[layer] = True


class KeptCrossCache(KeptCache):
    """The same for a decoder that reads a memory."""

    def __init__(self, kept: EncoderDecoderCache) -> None:
        super().__init__(kept.self_attention_cache)
        self.memory = KeptMemory(kept)
