"""A decoder that reads a text in pieces, with a cache, says what it says of the whole text."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from inputs import unpadded, with_padding
from perturb import relative_error
from shrink import ODD, caches, examples, graph, model
from torch import Tensor, nn

EXACT = 1e-12
MODELS = [name for name in [*examples(), *ODD] if caches(name)]
PIECES = {
    "token by token": [1] * 20,
    "a prompt, then tokens": [5, *[1] * 20],
    "chunks": [4, 3, 1, 5, 20],
}


class Reader:
    """The decoding stack of a model, called piece by piece."""

    def __init__(self, name: str, data: dict[str, Tensor]) -> None:
        self.model = model(name)
        self.stack = caches(name)
        spec = graph(name).spec
        source: Any = spec.stacks[self.stack].input[0]
        self.ids = str(source.argument)
        prefix = self.ids.removesuffix("input_ids").removesuffix("ids")
        self.mask, self.new = f"{prefix}attention_mask", {self.ids, f"{prefix}position_ids"}
        self.new |= set(source.add)
        self.data = data
        step = self.model.hidden_states if len(spec.stacks) == 1 else self.model.decode
        self.step, self.parameters = step, inspect.signature(step).parameters
        self.given = {
            key: value for key, value in {**data, **self.memories(spec)}.items() if self.takes(key)
        }

    def takes(self, name: str) -> bool:
        return name in self.parameters

    def memories(self, spec: Any) -> dict[str, Tensor]:
        """What the stack reads of others, as `decode` calls it."""
        others = [name for name in spec.stacks if name != self.stack]
        found = {}
        for other in others:
            several = len(others) > 1
            encode = getattr(self.model, f"encode_{other}" if several else "encode")
            wanted = inspect.signature(encode).parameters
            given = {key: value for key, value in self.data.items() if key in wanted}
            found[f"{other}_memory" if several else "memory"] = encode(**given)
        return found

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


def data_of(name: str, side: str) -> dict[str, Tensor]:
    return unpadded(graph(name)) if side == "none" else with_padding(graph(name), side)


@pytest.mark.parametrize("side", ["none", "left", "right"])
@pytest.mark.parametrize("name", MODELS)
def test_pieces_equal_the_whole(name: str, side: str) -> None:
    with torch.no_grad():
        reader = Reader(name, data_of(name, side))
        whole = reader.whole()
        for pieces in PIECES.values():
            found = reader.pieces(pieces, whole.size(1))
            assert relative_error(found, whole) <= EXACT


def test_cross_attention_projects_its_memory_once() -> None:
    """The second step may be given any memory: what the first made of it stays."""
    with torch.no_grad():
        reader = Reader("t5_small", data_of("t5_small", "right"))
        whole = reader.whole()
        decoder: nn.Module = reader.model.decoder
        counted = []
        for block in decoder.layers:
            block.cross_attention.key.register_forward_hook(lambda *_: counted.append(1))
        found = reader.pieces([1] * 20, whole.size(1))
        for block in decoder.layers:
            block.cross_attention.key._forward_hooks.clear()
    assert relative_error(found, whole) <= EXACT
    assert len(counted) == len(decoder.layers)


def test_a_full_cache_says_so() -> None:
    reader = Reader("tiny_gpt", data_of("tiny_gpt", "none"))
    cache = sys.modules[type(reader.model).__module__].Cache(12)
    with pytest.raises(ValueError, match="13 tokens, but the cache holds 12"):
        reader.step(**reader.given, cache=cache)
