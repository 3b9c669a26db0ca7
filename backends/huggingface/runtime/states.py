"""A cache for models in which some layers have running sums instead of keys and values."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache, DynamicCache

from .cache import KeptCache


class RunningCache(DynamicCache):
    """The library's cache of keys and values, and running sums of linear attention."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config=config)
        self.states: dict[int, Tensor] = {}
        self.seen = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.seen

    def reorder_cache(self, beam_idx: Tensor) -> None:
        super().reorder_cache(beam_idx)
        self.states = {
            layer: state.index_select(0, beam_idx.to(state.device))
            for layer, state in self.states.items()
        }

    def crop(self, max_length: int) -> None:
        raise ValueError("running sums cannot be cut back to an earlier token")


class KeptStates(KeptCache):
    """The cache interface of the emitted model for one step."""

    def __init__(self, kept: Cache) -> None:
        if not isinstance(kept, RunningCache):
            raise ValueError(f"the cache must be a RunningCache, not a {type(kept).__name__}")
        super().__init__(kept)
        self.states = kept.states

    @property
    def length(self) -> int:
        return int(self.kept.get_seq_length())

    @length.setter
    def length(self, tokens: int) -> None:
        self.kept.seen = tokens

    def state(self, layer: int, batch: int) -> Tensor | None:
        """The running sum of a layer for `batch` rows, or None before the first token."""
        state = self.states.get(layer)
        if state is not None and state.size(0) != batch:
            raise ValueError(f"the cache holds {state.size(0)} rows, not {batch}")
        return state

    def set_state(self, layer: int, state: Tensor) -> None:
        """Store the running sum of a layer after the new tokens."""
        self.states[layer] = state
