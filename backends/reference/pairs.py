"""Values of pairs of tokens.

pair_bias, path_bias  Ying et al. 2021, arXiv:2106.05234
"""

from __future__ import annotations

import numpy as np

from .call import Array, Call


def pair_bias(call: Call) -> Array:
    """A learned number per head for the integer of each pair, (B, H, T, T)."""
    ids, front = call.given("ids"), int(call.value("front"))
    table = call.weights["weight"]
    around = ((0, 0), (front, 0), (front, 0))
    whole = np.pad(ids, around, constant_values=len(table) - 1)
    return np.moveaxis(table[whole], -1, 1)


def path_bias(call: Call) -> Array:
    """The mean product of each edge's vector with that of its place, (B, H, T, T)."""
    vectors, edges, front = call.given("vectors"), call.given("edges"), int(call.value("front"))
    weight = call.weights[""]
    total = np.zeros((*edges.shape[:3], weight.shape[-1]))
    for place in range(edges.shape[-1]):
        there = edges[..., place, None] > 0
        total += np.where(there, vectors[..., place, :] @ weight[place], 0)
    mean = total / np.maximum((edges > 0).sum(-1), 1)[..., None]
    whole = np.pad(mean, ((0, 0), (front, 0), (front, 0), (0, 0)))
    return np.moveaxis(whole, -1, 1)
