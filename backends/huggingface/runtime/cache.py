"""The cache of an emitted model, stored in a Hugging Face cache."""

from __future__ import annotations

from torch import Tensor
from transformers import Cache, EncoderDecoderCache


class KeptCache:
    """The cache interface of the emitted model for one step; `kept` stores keys and values."""

    def __init__(self, kept: Cache) -> None:
        if not isinstance(kept, Cache):
            raise ValueError(f"the cache must be a DynamicCache, not a {type(kept).__name__}")
        if kept.is_compileable:
            raise ValueError("a static cache is not supported: its keys are longer than the text")
        self.kept = kept
        self.length = int(kept.get_seq_length())
        self.filled = 0

    def append(
        self, layer: int, k: Tensor, v: Tensor, kept: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values (B, K, T, E); return those of all tokens (B, K, S, E).

        With `kept`, return them after those of `kept` previous tokens.

        Layers are numbered in the order of their calls; layers without keys and values are skipped.
        """
        new = k.size(-2)
        k, v = self.kept.update(k, v, self.filled)
        self.filled += 1
        if kept is None:
            return k, v
        first = max(0, k.size(-2) - new - kept)
        return k[..., first:, :], v[..., first:, :]


class KeptMemory:
    """Keys and values (B, K, M, E) of cross-attention, by layer."""

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
    """The same for a decoder with cross-attention."""

    def __init__(self, kept: EncoderDecoderCache) -> None:
        if not isinstance(kept, EncoderDecoderCache):
            raise ValueError(f"the cache must be an EncoderDecoderCache, not {type(kept).__name__}")
        super().__init__(kept.self_attention_cache)
        self.memory = KeptMemory(kept)
