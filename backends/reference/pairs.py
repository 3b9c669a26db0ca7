"""Values of pairs of tokens.

pair_bias, path_bias  Ying et al. 2021, arXiv:2106.05234
outer_mean, triangle  Jumper et al. 2021, supplementary information, algorithms 10, 11 and 12
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


def swap_streams(call: Call) -> Array:
    """(B, first, second, D) to (B, second, first, D)."""
    found: Array = call.given("x").swapaxes(1, 2)
    return found


def pair_scores(call: Call) -> Array:
    """(B, q, k, H) to (B, 1, H, q, k); with `transposed`, (B, k, q, H)."""
    x: Array = np.moveaxis(call.given("x"), -1, 1)[:, None]
    return np.asarray(x.swapaxes(-1, -2) if call.value("transposed") else x)


def outer_mean(call: Call) -> Array:
    """The mean over sequences of outer products, (B, R, R, F*F)."""
    left, right = call.given("left"), call.given("right")
    batch, sequences, length, width = left.shape
    total = np.zeros((batch, length, length, width, width))
    for number in range(sequences):
        a, b = left[:, number], right[:, number]
        total += a[:, :, None, :, None] * b[:, None, :, None, :]
    shape = (batch, length, length, width * width)
    return np.asarray((total / sequences).reshape(shape))


def triangle(call: Call) -> Array:
    """The sum over the third node of the products of two edges, (B, R, R, F)."""
    left, right = call.given("left"), call.given("right")
    if not call.value("outgoing"):
        left, right = left.swapaxes(1, 2), right.swapaxes(1, 2)
    total = np.zeros_like(left)
    for k in range(left.shape[2]):
        total += left[:, :, None, k] * right[:, None, :, k]
    return total
