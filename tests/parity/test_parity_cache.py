"""A decoder called chunk by chunk with a cache gives the results of one pass."""

from __future__ import annotations

import sys

import pytest
import torch
from inputs import unpadded, with_padding
from perturb import relative_error
from reader import Reader
from shrink import ODD, caches, examples, graph
from torch import Tensor, nn

EXACT = 1e-12
MODELS = [name for name in [*examples(), *ODD] if caches(name)]
PIECES = {
    "token by token": [1] * 20,
    "a prompt, then tokens": [5, *[1] * 20],
    "chunks": [4, 3, 1, 5, 20],
}


def data_of(name: str, side: str) -> dict[str, Tensor]:
    return unpadded(graph(name)) if side == "none" else with_padding(graph(name), side)


@pytest.mark.sampled(4)
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
