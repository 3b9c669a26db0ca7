"""Attention: heads, scores and weighted values.

attend  Vaswani et al. 2017, arXiv:1706.03762; key heads shared by groups of query heads: Ainslie
        et al. 2023, arXiv:2305.13245; attention sinks: OpenAI 2025,
        arXiv:2508.10925; with the score 0: Miller 2023, "Attention Is Off By One"; talking
        heads: Shazeer et al. 2020, arXiv:2003.02436; mixing vectors of shared queries:
        Cordonnier et al. 2020, arXiv:2006.16362; vectors of distances added to values: Shaw et al.
        2018, arXiv:1803.02155
"""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import cap
from .call import Array, Call


def split_heads(call: Call) -> Array:
    """(B, T, H*E) to (B, H, T, E), or the same without B."""
    x, heads = call.given("x"), int(call.attrs["heads"].size)
    *batch, length, width = x.shape
    return x.reshape(*batch, length, heads, width // heads).swapaxes(-3, -2)


def merge_heads(call: Call) -> Array:
    """(B, H, T, E) to (B, T, H*E)."""
    x = call.given("x")
    *batch, heads, length, width = x.shape
    return x.swapaxes(-3, -2).reshape(*batch, length, heads * width)


def expand_heads(call: Call) -> Array:
    """(B, 1, T, E) to (B, H, T, E), the same for all heads."""
    return np.repeat(call.given("x"), int(call.attrs["heads"].size), axis=1)


def mix_vectors(call: Call) -> Array:
    """(B, T, E) to (B, H, T, E): each head multiplies it by its own vector."""
    x, vectors = call.given("x"), call.weights[""]
    return np.stack([x * vector for vector in vectors], axis=1)


def cache(call: Call) -> tuple[Array, Array]:
    """Keys and values unchanged, since the reference has no cache."""
    return call.given("first"), call.given("second")


def select(call: Call) -> Array:
    """The second input where the first is True, else the third."""
    return np.where(call.given("chosen"), call.given("a"), call.given("b"))


def masked_bias(call: Call) -> Array:
    """The bias where the mask is True, -inf elsewhere, (B, H, T, S)."""
    bias, mask = call.given("bias"), call.optional("mask")
    return bias if mask is None else np.where(mask, bias, -np.inf)


def sinks(call: Call) -> Array:
    """The learned score of each head, (H,)."""
    return call.weights[""]


def zero_sinks(call: Call) -> Array:
    """A score of 0 for each head, (H,)."""
    return np.zeros(int(call.attrs["heads"].size))


def head_matrix(call: Call) -> Array:
    """The learned matrix that mixes the heads, (H, H)."""
    return call.weights[""]


def softmax(scores: Array) -> Array:
    """Softmax over the last axis; a row of -inf gives zeros."""
    highest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    raised = np.exp(scores - np.where(np.isfinite(highest), highest, 0.0))
    total = raised.sum(axis=-1, keepdims=True)
    result: Array = raised / np.where(total == 0, 1.0, total)
    return result


def _product(q: Array, k: Array, vector: Array) -> Array:
    return np.asarray(q @ k.T)


def _distance(q: Array, k: Array, vector: Array) -> Array:
    return np.asarray(-((q[:, None] - k[None]) ** 2).sum(axis=-1))


def _sum(q: Array, k: Array, vector: Array) -> Array:
    return np.asarray(np.tanh(q[:, None] + k[None]) @ vector)


SCORES = {"dot": _product, "distance": _distance, "additive": _sum}


def score_vector(call: Call) -> Array:
    return call.weights[""]


def attend(call: Call) -> Array:
    """The attention output, (B, H, T, E)."""
    q, k, v = call.given("q"), call.given("k"), call.given("v")
    rows, (heads, queries, width) = q.shape[:-3], q.shape[-3:]
    key_heads, keys = k.shape[-3:-1]
    everything = (*rows, heads, queries, keys)
    mask, bias, sinks = call.optional("mask"), call.optional("bias"), call.optional("sinks")
    compare = SCORES[call.value("score") or "dot"]
    vectors = call.given("vector") if call.value("score") == "additive" else np.empty((heads, 0))
    mask = np.broadcast_to(np.bool_(True) if mask is None else mask, everything)
    bias = np.broadcast_to(np.float64(0) if bias is None else bias, everything)
    scale = call.value("scale")
    scale = 1 / math.sqrt(width) if scale is None else scale
    found, weights = np.empty(everything), np.empty(everything)
    for b in np.ndindex(rows):
        for h in range(heads):
            shared = h // (heads // key_heads)
            found[b][h] = compare(q[b][h], k[b][shared], vectors[h]) * scale
    if call.value("softcap") is not None:
        found = cap(found, call.value("softcap"))
    found = np.where(mask, _mixed(call.optional("mix_scores"), found) + bias, -np.inf)
    for b in np.ndindex(rows):
        for h in range(heads):
            scores = found[b][h]
            if sinks is not None:
                scores = np.column_stack([scores, np.full(queries, sinks[h])])
            weights[b][h] = softmax(scores)[:, :keys]
    weights = _mixed(call.optional("mix_weights"), weights)
    result = np.asarray(weights @ np.repeat(v, heads // key_heads, axis=-3))
    added, places = call.optional("vectors"), call.optional("places")
    if added is None or places is None:
        return result
    return np.asarray(result + np.einsum("bhts,tse->bhte", weights, added[places]))


def _mixed(matrix: Array | None, x: Array) -> Array:
    """Talking heads: head g is the sum over h of matrix[g, h] times head h."""
    return x if matrix is None else np.asarray(np.tensordot(matrix, x, (1, 1)).swapaxes(0, 1))
