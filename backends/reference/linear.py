"""Linear attention, computed for each pair (Katharopoulos et al. 2020, arXiv:2006.16236)."""

from __future__ import annotations

import numpy as np

from .call import Array, Call, as_mask


def elu_features(x: Array) -> Array:
    """elu(x) + 1."""
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def without_padding(call: Call) -> Array:
    x, mask = call.given("x"), call.optional("attention_mask")
    return x if mask is None else np.where(as_mask(mask)[:, None, :, None], x, 0.0)


def append_ones(call: Call) -> Array:
    x = call.given("x")
    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


def by_last(call: Call) -> Array:
    x = call.given("x")
    result: Array = x[..., :-1] / (x[..., -1:] + 1e-6)
    return result


def decay_rates(call: Call) -> Array:
    """Decay rate of each head in a layer, (H,)."""
    heads, layers = int(call.attrs["heads"].size), call.value("layers")
    depth = 1 - call.layer / (layers - 1 + 1e-5) + 1e-5
    return np.array([2 ** (-8 * head / heads) * depth for head in range(1, heads + 1)])


def attend_linearly(call: Call) -> Array:
    """Linear attention; the weight of a pair is its product, times the decay, (B, H, T, E)."""
    q, k, v = call.given("q"), call.given("k"), call.given("v")
    rates = call.optional("rates")
    weights = np.einsum("bhie,bhje->bhij", q, k)
    if call.value("causal"):
        distance = np.arange(q.shape[2])[:, None] - np.arange(k.shape[2])
        kept = np.where(distance >= 0, 1.0, 0.0)
        if rates is not None:
            kept = kept * np.exp(-rates[:, None, None] * np.maximum(distance, 0))
        weights = weights * kept
    result: Array = weights @ v
    return result


def pool_heads(call: Call) -> Array:
    """Additive pooling for each head (Wu et al. 2021, arXiv:2108.09084, equations 1 and 2)."""
    x, mask, vectors = call.given("x"), call.optional("attention_mask"), call.weights[""]
    result = np.empty((*x.shape[:2], 1, x.shape[-1]))
    for b in range(len(x)):
        real = np.arange(x.shape[2]) if mask is None else np.flatnonzero(mask[b])
        for h in range(x.shape[1]):
            tokens = x[b, h, real]
            scores = tokens @ vectors[h] / np.sqrt(x.shape[-1])
            powers = np.exp(scores - scores.max())
            result[b, h, 0] = powers @ tokens / powers.sum()
    return result
