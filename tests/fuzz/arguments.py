"""Arguments for any model, read from its graph: ids, images, padding, positions, and the rest."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from modelwright.compiler import ModuleGraph

from . import readings
from .readings import Ids, conditions, float_shapes, placed_vectors, token_ids

Arrays = dict[str, np.ndarray[Any, Any]]
ROLES = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")
LENGTHS = ((11, 7), (9, 5), (10, 8))
"""Real tokens of the two sequences of a stack: its first number is the length of the row."""
FRAMES = 14
"""Of a signal."""
WORD = 5
"""A token that stands in every sequence, where it is real."""


def prefix_of(ids: str) -> str:
    """What stands before the names of the arguments that go with some ids."""
    cut = ids.removesuffix("input_ids")
    return cut if cut != ids else ids.removesuffix("_ids") + "_"


def rng(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def images(graph: ModuleGraph) -> Arrays:
    return {
        name: rng(name).normal(size=shape)
        for name, shape in float_shapes(graph, 2, tokens=FRAMES, frames=FRAMES)
    }


def known(graph: ModuleGraph) -> set[str]:
    return set(readings.arguments(graph))


def plain(graph: ModuleGraph) -> Arrays:
    """What must be given, and nothing else."""
    found = images(graph)
    for name, shape, classes in conditions(graph):
        draw = rng(name)
        size = (2, *shape)
        found[name] = draw.integers(0, classes, size) if classes else 5 * draw.normal(size=size)
    for number, source in in_reading_order(graph):
        longest, shorter = LENGTHS[number % len(LENGTHS)]
        gap, places = longest - shorter, vectors_in(graph, source.argument, found)
        longest += len(places)
        words = np.setdiff1d(np.arange(6, source.vocabulary), places)
        ids = words[rng(source.argument).integers(0, len(words), (2, longest))]
        ids[:, gap : gap + len(places)] = places
        ids[:, [gap + len(places), longest - gap - 1]] = words[0] if WORD in places else WORD
        found[source.argument] = ids
    for name, fact, more, entries in readings.pairs(graph):
        given = found[fact.argument]
        length = fact.tokens(given.shape[fact.axis])
        found[name] = rng(name).integers(0, entries, (2, length, length, *more))
    return {name: value for name, value in found.items() if name in known(graph)}


def in_reading_order(graph: ModuleGraph) -> list[tuple[int, Ids]]:
    """The ids of each stack and their number, after those of the stacks that it reads."""
    order = list(graph.hidden)
    numbered = enumerate(token_ids(graph).items())
    ordered = sorted(numbered, key=lambda one: order.index(one[1][0]))
    return [(number, ids) for number, (_, ids) in ordered]


def vectors_in(graph: ModuleGraph, argument: str, found: Arrays) -> list[int]:
    """The token ids that stand for vectors, once for each vector of a sequence."""
    places: list[int] = []
    for one in placed_vectors(graph):
        if one.argument == argument:
            places += [one.token] * (vectors_of(graph, one.stack, found) - one.skipped)
    return places


def vectors_of(graph: ModuleGraph, stack: str, found: Arrays) -> int:
    """How many vectors a stack computes from these arguments."""
    source, size = graph.inputs[stack], graph.lengths.get(stack)
    if size is not None:
        return int(size)
    if source.kind == "stack":
        return vectors_of(graph, source.stack, found) - source.skip + source.prefix
    if stack in graph.parts:  # ids and images
        ids = found[source.argument].shape[1] + source.prefix
        return int(ids + sum(int(part.length or 0) for part in graph.parts[stack]))
    return int(source.tokens(found[source.argument].shape[source.axis]))


def sources(graph: ModuleGraph) -> set[str]:
    """The arguments whose vectors stand in the place of tokens: none of them is padding."""
    return {first_argument(graph, one.stack) for one in placed_vectors(graph)}


def first_argument(graph: ModuleGraph, stack: str) -> str:
    """The argument whose tokens are those of a stack, through the stacks before it."""
    source = graph.inputs[stack]
    return first_argument(graph, source.stack) if source.stack else source.argument


def padded(graph: ModuleGraph, side: str) -> Arrays:
    """All that may be given; the second sequence of each stack has padding on one side."""
    found = plain(graph)
    for number, source in enumerate(token_ids(graph).values()):
        if source.argument not in found or source.argument in sources(graph):
            continue
        longest, shorter = LENGTHS[number % len(LENGTHS)]
        prefix, ids = prefix_of(source.argument), found[source.argument]
        longest, shorter = ids.shape[1], ids.shape[1] - longest + shorter
        hidden = slice(shorter, None) if side == "right" else slice(0, longest - shorter)
        mask = np.ones_like(ids)
        mask[1, hidden] = 0
        ids[1, hidden] = graph.tokens.pad or 0
        found[f"{prefix}attention_mask"] = mask
        found[f"{prefix}position_ids"] = np.maximum(mask.cumsum(-1) - 1, 0)
        found[f"{prefix}document_ids"] = (np.arange(longest) >= 6) + 0 * ids
        found[f"{prefix}prefix_length"] = np.array([4, 2])
        found[f"{prefix}global_mask"] = (ids == WORD) * mask
        for name, entries in source.added.items():
            found[name] = rng(name).integers(0, entries, ids.shape)
    return {name: value for name, value in found.items() if name in known(graph)}


def placed(graph: ModuleGraph) -> Arrays:
    """What must be given, and the positions that tokens have anyway."""
    found = plain(graph)
    for source in token_ids(graph).values():
        if source.argument in found:
            ids = found[source.argument]
            places = np.arange(ids.shape[1]) + 0 * ids
            found[f"{prefix_of(source.argument)}position_ids"] = places
    return {name: value for name, value in found.items() if name in known(graph)}
