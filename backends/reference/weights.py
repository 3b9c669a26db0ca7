"""Weights by logical name: which there are, and random ones for trying a model out."""

from __future__ import annotations

import zlib

import numpy as np

from ...compiler.graph import LogicalWeight, ModuleGraph
from .call import Array

JITTER = 0.2


def weight_shapes(graph: ModuleGraph) -> dict[str, tuple[int, ...]]:
    """The logical name and shape of every stored weight; ties and shared layers are listed once."""
    return {weight.name: weight.shape for weight in graph.weights()}


def random_weights(graph: ModuleGraph, seed: int) -> dict[str, Array]:
    """Weights of which none is at rest, so that nothing a model does with one can hide.

    Matrices keep the size of what they multiply, norms are about 1 and biases about 0 but never
    exactly. The same seed gives a weight the same numbers in every graph where its name and shape
    are the same.
    """
    return {weight.name: _draw(weight, seed) for weight in graph.weights()}


def _draw(weight: LogicalWeight, seed: int) -> Array:
    generator = np.random.default_rng([seed, zlib.crc32(weight.name.encode())])
    noise = generator.standard_normal(weight.shape)
    initial = weight.weight.initial
    if initial.kind == "normal":
        return np.asarray(noise / np.sqrt(np.prod(weight.shape[1:])))
    centre = {"zeros": 0.0, "ones": 1.0}.get(initial.kind, initial.value)
    if initial.kind == "zeros" and not weight.weight.trained:
        centre = -1.0  # what is added to scores for a choice makes them negative
    return np.asarray(centre + JITTER * noise)
