"""The spec, graph and file of a variation, and inputs to run it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from fuzz.arguments import vectors_in
from fuzz.readings import added_ids, conditions, float_shapes, pairs
from numpy.typing import NDArray

from modelwright.backends.pytorch import Emitted, emit_file
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, loads

from .base import BATCH, FIRST_WORD, FRAMES, MARK, MEMORY, PAD, TOKENS
from .every import VARIATIONS

Arrays = dict[str, NDArray[Any]]


@cache
def spec_of(name: str) -> ModelSpec:
    variation = VARIATIONS[name]
    return loads(variation.text, sets=variation.sets)


@cache
def graph_of(name: str) -> ModuleGraph:
    return lower(spec_of(name))


@cache
def emitted(name: str) -> Emitted:
    return emit_file(graph_of(name))


def arguments(graph: ModuleGraph) -> list[str]:
    """The data that a model takes, by its names in `forward`."""
    return sorted(op.name for op in graph.ops("") if op.kind == "argument")


def inputs_of(graph: ModuleGraph, padding: str = "none") -> Arrays:
    """Data for every argument but positions; padding stands at the `left`, the `right` or nowhere.

    Encoders of an encoder-decoder read another number of tokens than its decoder.
    """
    names = arguments(graph)
    several = any(name.startswith("decoder_") for name in names)
    added = added_ids(graph)
    found: Arrays = {}
    vectors = MEMORY if several else TOKENS
    images = dict(float_shapes(graph, BATCH, tokens=vectors, frames=FRAMES))
    for name, size, classes in conditions(graph):
        draw, shape = np.random.default_rng(len(name)), (BATCH, *size)
        found[name] = draw.integers(0, classes, shape) if classes else draw.standard_normal(shape)
    of_pairs = {name: (source, more, rows) for name, source, more, rows in pairs(graph)}
    for name in [name for name in names if name in images and name not in found]:
        found[name] = np.random.default_rng(len(name)).standard_normal(images[name])
    for name in names:
        if name in found or name in of_pairs:
            continue
        places = vectors_in(graph, name.replace("attention_mask", "input_ids"), found)
        length = MEMORY if several and not name.startswith("decoder_") else TOKENS
        if name.endswith("attention_mask"):  # of all vectors of interleaved inputs
            turns = max((op.attrs.get("turn", 1) for op in graph.ops()), default=1)
            length *= turns
            for parts in graph.parts.values():  # of all joined inputs, if none may be absent
                if turns == 1 and all(part.length is None for part in parts):
                    length *= len(parts)
        made = _data(name, length, added[name].entries if name in added else 0, places)
        if made is not None:
            found[name] = made
    for name in [name for name in names if name.endswith("attention_mask")]:
        if padding == "none":
            del found[name]
            continue
        ids = name.replace("attention_mask", "input_ids")
        hidden = slice(0, 3) if padding == "left" else slice(-3, None)
        found[name][-1, hidden] = 0
        for data in [found[ids]] if ids in found else []:
            data[-1, hidden] = PAD
    for name, (source, more, rows) in of_pairs.items():
        length = source.tokens(found[source.argument].shape[source.axis])
        shape = (BATCH, length, length, *more)
        found[name] = np.random.default_rng(len(name)).integers(0, rows, shape)
    return found


def _data(name: str, tokens: int, entries: int, places: list[int]) -> NDArray[np.int64] | None:
    """Integers of an argument; `places` are ids that stand for vectors, which are never padding."""
    random = np.random.default_rng(len(name))
    shape = (BATCH, tokens)
    if name.endswith("position_ids"):
        return None
    if name.endswith("attention_mask"):
        return np.ones((BATCH, tokens + len(places)), np.int64)
    if name.endswith("document_ids"):
        return np.sort(random.integers(0, 3, shape), axis=1)
    if name.endswith("prefix_length"):
        return random.integers(1, 5, BATCH)
    if name.endswith("global_mask"):
        return (random.random(shape) < 0.3).astype(np.int64)
    if entries:
        return random.integers(0, entries, shape)
    ids = random.integers(FIRST_WORD, 29, shape)
    ids[:, 4] = MARK
    ids[np.isin(ids, places)] = FIRST_WORD + 1
    return np.insert(ids, 3, np.array(places, np.int64)[:, None], axis=1) if places else ids
