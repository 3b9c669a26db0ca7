"""The decoding stack of a model, called chunk by chunk with a cache."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence

import torch
from fuzz.readings import token_ids
from shrink import caches, graph, model
from torch import Tensor

from modelwright.backends.pytorch.calls import hidden_states_of, memories_of


class Reader:
    """The decoding stack of a model, called piece by piece."""

    def __init__(self, name: str, data: dict[str, Tensor]) -> None:
        self.model = model(name)
        self.stack = caches(name)
        self.graph = graph(name)
        self.ids = self.graph.inputs[self.stack].argument
        prefix = self.ids.removesuffix("input_ids").removesuffix("ids")
        self.mask, self.new = f"{prefix}attention_mask", {self.ids, f"{prefix}position_ids"}
        self.new |= set(token_ids(self.graph)[self.stack].added)
        self.data = data
        self.step = hidden_states_of(self.model, self.graph, self.stack)
        self.parameters = inspect.signature(self.step).parameters
        memories = memories_of(self.model, self.graph, self.stack, data)
        self.given = {n: value for n, value in {**data, **memories}.items() if self.takes(n)}

    def takes(self, name: str) -> bool:
        return name in self.parameters

    def whole(self) -> Tensor:
        return self.model.logits(self.step(**self.given))

    def pieces(self, sizes: Sequence[int], capacity: int) -> Tensor:
        """The logits of all pieces, joined; the cache is as large as it must be."""
        cache = sys.modules[type(self.model).__module__].Cache(capacity)
        results, start = [], 0
        for size in sizes:
            end = min(start + size, capacity)
            if end == start:
                break
            given = dict(self.given)
            given |= {key: value[:, start:end] for key, value in given.items() if key in self.new}
            if self.mask in given:
                given[self.mask] = given[self.mask][:, :end]
            results.append(self.model.logits(self.step(**given, cache=cache)))
            start = end
        return torch.cat(results, dim=1)
