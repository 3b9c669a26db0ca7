"""Values of a few ops of a graph, such as tables of positions, without running its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ...compiler.graph import ModuleGraph, Op
from .call import Array
from .interpreter import Model, Values, unchanged


def evaluate(
    graph: ModuleGraph,
    weights: Mapping[str, Array],
    wanted: Callable[[Op], bool],
    tokens: int,
) -> Iterator[tuple[Op, int, tuple[Array, ...]]]:
    """Some ops that do not depend on the text: op, layer or -1, and its results.

    The results are for one sequence of `tokens` tokens without padding. Weights are given by
    logical name; those of other ops may be missing.
    """
    model = Model(graph, {}, _tokens(graph, tokens), unchanged)
    model.weights = {name: np.asarray(weight, np.float64) for name, weight in weights.items()}
    for op in graph.ops():
        if wanted(op):
            layers, block = graph.layers_of(op.scope), graph.block_of(op.scope)
            if layers is None or block is None:
                yield op, -1, tuple(model.array(value) for value in op.outputs)
                continue
            for layer in block.layer_indices:
                values: Values = {}
                for part in (*_needed(graph, op, block.path), op):
                    model.compute(part, values, layer=layers.modules[layer], number=layer)
                yield op, layer, tuple(np.asarray(values[value]) for value in op.outputs)


def _needed(graph: ModuleGraph, op: Op, block: str) -> list[Op]:
    """The ops of a block that an op depends on, in order."""
    found: list[Op] = []
    for value in op.inputs:
        producer = graph.producer(value)
        if producer is not None and graph.inside(producer.scope, block):
            found += [*_needed(graph, producer, block), producer]
    return list(dict.fromkeys(found))


def _tokens(graph: ModuleGraph, tokens: int) -> dict[str, Array]:
    """The first input of each stack, (1, T, …): ids that are not padding."""
    word = 1 if graph.tokens.pad == 0 else 0
    arguments = {op.name: op for op in graph.ops("") if op.kind == "argument"}
    found = {}
    for fact in graph.inputs.values():
        if fact.argument in arguments:
            shape = [1] * len(graph.values[arguments[fact.argument].outputs[0]].shape)
            shape[fact.axis] = max(1, fact.frames(tokens))
            found[fact.argument] = np.full(shape, word)
    return found
