"""Biases of the scores that are computed from data."""

from typing import Any

import numpy as np

from ...spec.attention.score_bias import PathBias, TableBias
from .context import Layer
from .weights import Array, Weights, unknown


def score_biases(layer: Layer, part: Any, weights: Weights, heads: int) -> Array:
    """(H, T, T), or zeros (H, 1, 1): the sum of the entries of `score_bias`."""
    total = np.zeros((heads, 1, 1))
    for bias in getattr(part, "score_bias", ()):
        own = layer.weights if getattr(bias, "share", "") == "stack" else weights
        if isinstance(bias, TableBias):
            total = total + table_bias(layer, bias, own, heads)
        elif isinstance(bias, PathBias):
            total = total + path_bias(layer, bias, own, heads)
        else:
            raise unknown(f"a score bias of the type {bias.type}")
    return total


def table_bias(layer: Layer, bias: TableBias, weights: Weights, heads: int) -> Array:
    """b[ids[q, k]] of each head (Ying et al., 2021, arXiv:2106.05234, eq. 6); pairs with a prefix
    token of an image have the entry after all others (section 3.1.3, special node).
    """
    front, count = layer.tokens.in_front, len(layer.tokens.index)
    ids = layer.tokens.given[bias.argument]
    table = weights(f"{bias.argument}_bias.weight", bias.entries + (front > 0), heads)
    found = np.zeros((heads, count, count))
    for q in range(count):
        for k in range(count):
            entry = bias.entries if min(q, k) < front else ids[q - front, k - front]
            found[:, q, k] = table[entry]
    return found


def path_bias(layer: Layer, bias: PathBias, weights: Weights, heads: int) -> Array:
    """1/N sum over n of x[e_n] . w[n] (Ying et al., 2021, arXiv:2106.05234, eq. 7)."""
    front, count = layer.tokens.in_front, len(layer.tokens.index)
    width = bias.width or heads
    table = weights(f"{bias.argument}_embedding.weight", bias.entries + 1, width)
    places = weights(f"{bias.argument}_places", bias.max_distance, width, heads)
    found = np.zeros((heads, count, count))
    for q in range(front, count):
        for k in range(front, count):
            path = layer.tokens.given[bias.argument][q - front, k - front]
            steps = [table[edge] @ places[n] for n, edge in enumerate(path) if edge != 0]
            if steps:
                found[:, q, k] = np.mean(steps, axis=0)
    return found
