"""Arguments for any model, read from its graph: ids, padding, positions, segments."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import torch
from fuzz.readings import added_ids, float_shapes, pairs
from torch import Tensor

from modelwright.compiler import ModuleGraph

LENGTHS = {"decoder_": (10, 7), "answer_": (11, 7), "hint_": (5, 4)}
USUAL = (13, 9)
"""Real tokens of the two sequences, by what stands before `input_ids` or `ids`."""

WORD = 5
"""A token that stands in every sequence, at a place that is always real."""


def word(graph: ModuleGraph) -> int:
    """The token that stands in every sequence."""
    pools = (op for op in graph.ops() if op.kind == "pool" and op.attrs["how"] == "token")
    return next((int(pool.attrs["token"]) for pool in pools), WORD)


def streams(graph: ModuleGraph) -> Iterator[tuple[str, str]]:
    """What stands before the names of each stack's arguments, and the name of its ids."""
    for op in graph.ops(""):
        value = graph.values[op.outputs[0]]
        rows = len(value.shape) == 2  # one number per sequence is a condition
        if op.kind == "argument" and value.dtype == "int" and rows and not value.optional:
            yield op.name.removesuffix("input_ids").removesuffix("ids"), op.name


def arguments(graph: ModuleGraph) -> set[str]:
    return {op.name for op in graph.ops("") if op.kind == "argument"}


def pictures(graph: ModuleGraph) -> dict[str, Tensor]:
    """Two images, or signals of 18 frames, for every stack that reads some."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(*shape, generator=generator, dtype=torch.float64)
        for name, shape in float_shapes(graph, 2, tokens=13, frames=18)
    }


def conditions(graph: ModuleGraph) -> dict[str, Tensor]:
    """A time and a label for each of two sequences, where a model needs them."""
    ops = [op for op in graph.ops("") if op.kind == "argument"]
    values = {op.name: graph.values[op.outputs[0]] for op in ops}
    needed = [n for n, x in values.items() if len(x.shape) == 1 and not x.optional]
    return {name: torch.tensor([0, 1]) for name in needed}


def random_ids(name: str, rows: int, length: int, least: int = 3, most: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randint(least, most, (rows, length), generator=generator)


def unpadded(graph: ModuleGraph) -> dict[str, Tensor]:
    """Ids of two sequences for every stack, and nothing that may be left out."""
    data = pictures(graph) | conditions(graph)
    for prefix, name in streams(graph):
        longest, shorter = LENGTHS.get(prefix, USUAL)
        data[name] = random_ids(name, 2, longest)
        data[name][:, [longest - shorter, shorter - 1]] = word(graph)
    for name, fact, more, entries in pairs(graph):
        length = fact.tokens(data[fact.argument].shape[fact.axis])
        ids = random_ids(name, 2, length * length * math.prod(more), least=0, most=entries)
        data[name] = ids.view(2, length, length, *more)
    return data


def with_padding(graph: ModuleGraph, side: str) -> dict[str, Tensor]:
    """The same with the second sequence padded, and every other argument that there is."""
    data = unpadded(graph)
    known = arguments(graph)
    for prefix, name in streams(graph):
        longest, shorter = LENGTHS.get(prefix, USUAL)
        padding = slice(shorter, None) if side == "right" else slice(0, longest - shorter)
        mask = torch.ones_like(data[name])
        mask[1, padding] = 0
        data[name][1, padding] = graph.tokens.pad or 0
        data[f"{prefix}attention_mask"] = mask
        data[f"{prefix}global_mask"] = (data[name] == word(graph)).long()
        data[f"{prefix}position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    data |= {
        added: random_ids(added, *data[ids.to].shape[:2], least=0, most=ids.entries)
        for added, ids in added_ids(graph).items()
    }
    return {name: value for name, value in data.items() if name in known}
